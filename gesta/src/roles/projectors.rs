//! The projections: from the log into Postgres.

use std::time::Duration;

use ::projectors::{Options, Personal, Progress, PublishOptions, Status};
use anyhow::Context as _;
use event_log::Log;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::health::Health;
use super::log::{open_log, public_topics};
use super::process::{END_WITHIN, Process};
use crate::settings::{LogPlace, PersonalFields, PostgresUrl, Settings};

/// A projection that is further behind than both makes the process not ready.
const MAX_LAG_RECORDS: u64 = 10_000;
const MAX_LAG: chrono::TimeDelta = chrono::TimeDelta::seconds(10);
/// Time between two looks at the projections.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// Names of these parts in `/readyz`.
const POSTGRES: &str = "postgres";
const PROJECTIONS: &str = "projections";
/// First and longest wait before Postgres is tried again.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// Postgres counts as away when it takes longer to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Time between two looks whether Postgres is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Migrates, opens `gate` and projects until the process ends; waits for Postgres as long as it takes.
pub(crate) fn start(process: &Process, settings: &Settings, log: Log, url: PostgresUrl, gate: Gate) {
    process.health.starting(PROJECTIONS, "waiting for Postgres");
    let (health, halt) = (process.health.clone(), process.halt.clone());
    let (connections, publish) = (settings.postgres.max_connections, publish(settings));
    process.spawn(async move {
        let mut wait = RETRY_WAIT.0;
        loop {
            let ended = tokio::select! {
                ended = project(&log, (&url, connections), publish.clone(), (&health, &gate), halt.clone()) => ended,
                () = halt.cancelled() => return,
            };
            match ended {
                Ok(()) => return,
                Err(error) => health.waiting(PROJECTIONS, format!("{error:#}")),
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_WAIT.1),
                () = halt.cancelled() => return,
            }
        }
    });
}

async fn project(
    log: &Log,
    (url, connections): (&PostgresUrl, u32),
    publish: Option<PublishOptions>,
    (health, gate): (&Health, &Gate),
    halt: CancellationToken,
) -> anyhow::Result<()> {
    migrate(url.clone()).await?;
    gate.open();
    let pool = migrations::projector_pool(url.reveal(), connections)?;
    let options = Options { publish, ..Options::default() };
    let status = options.status.clone();
    tokio::select! {
        ended = ::projectors::run(log.clone(), pool, options, halt) => Ok(ended?),
        () = tell(&status, health) => Ok(()),
    }
}

/// How the public topics are fed: they are where the log is on Kafka, unless they are turned off.
fn publish(settings: &Settings) -> Option<PublishOptions> {
    let topics = public_topics(settings).filter(|_| settings.log == LogPlace::Kafka)?;
    let personal = match settings.publisher.personal {
        PersonalFields::Withhold => Personal::Withhold,
        PersonalFields::Publish => Personal::Publish,
    };
    Some(PublishOptions { topics, personal })
}

/// Keeps `/readyz` told how the projections are.
async fn tell(status: &Status, health: &Health) {
    let behind = |progress: &Progress| {
        progress.lag_records() > MAX_LAG_RECORDS && progress.lag(chrono::Utc::now()) > MAX_LAG
    };
    loop {
        match status.ready() {
            Err(reasons) => health.waiting(PROJECTIONS, first(&reasons)),
            Ok(()) => match status
                .all()
                .iter()
                .filter(|progress| behind(progress))
                .max_by_key(|progress| progress.lag_records())
            {
                None => health.ready(PROJECTIONS),
                Some(last) => {
                    let records = last.lag_records();
                    health.waiting(
                        PROJECTIONS,
                        format!("{} of shard {} is {records} records behind", last.name, last.shard),
                    );
                }
            },
        }
        tokio::time::sleep(TELL_EVERY).await;
    }
}

/// The first of many equal reasons: every projection of every shard has one.
fn first(reasons: &str) -> String {
    let mut lines = reasons.lines();
    let first = lines.next().unwrap_or_default();
    match lines.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more like it; see `projections` in GraphQL)"),
    }
}

/// Migrates on a thread of its own: the future holds its connection by reference and cannot move between threads.
async fn migrate(url: PostgresUrl) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Handle::current();
    let migrated = tokio::task::spawn_blocking(move || runtime.block_on(migrations::migrate(url.reveal())));
    let report = migrated.await??;
    for line in &report.applied {
        tracing::info!(schema = report.to, "migrated the database: {line}");
    }
    Ok(())
}

/// Keeps `/readyz` told whether Postgres answers.
///
/// # Errors
/// When the address cannot be used.
pub(crate) fn watch_postgres(process: &Process, url: &PostgresUrl) -> anyhow::Result<()> {
    process.health.starting(POSTGRES, "not asked yet");
    let pool = plain_pool(url)?;
    let (health, halt, shown) = (process.health.clone(), process.halt.clone(), url.to_string());
    process.spawn(async move {
        loop {
            let asked = tokio::select! {
                asked = sqlx::query("SELECT 1").execute(&pool) => asked,
                () = halt.cancelled() => return,
            };
            match asked {
                Ok(_) => health.ready(POSTGRES),
                Err(error) => health.waiting(
                    POSTGRES,
                    format!("{shown} does not answer: {error}; commands go on, read models wait"),
                ),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = halt.cancelled() => return,
            }
        }
    });
    Ok(())
}

/// One connection without a role: before the first migration there are none.
///
/// # Errors
/// When the address cannot be used.
pub(crate) fn plain_pool(url: &PostgresUrl) -> Result<sqlx::PgPool, sqlx::Error> {
    PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_WITHIN).connect_lazy(url.reveal())
}

/// Runs the projections alone until a signal.
///
/// # Errors
/// When the log belongs to another process, or no database is configured.
pub(crate) async fn run(settings: &Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let url = settings.postgres.url.clone().context(NO_DATABASE)?;
    let process = Process::new(settings, stop, END_WITHIN).await?;
    watch_postgres(&process, &url)?;
    let log = open_log(settings, &process.health, &process.stop).await.context(
        "the projections read the log of another process only when it is on Kafka; the embedded log has one process \
         at a time: run them in `gesta dev` with the commands, or stop that process",
    )?;
    let Some(log) = log else {
        process.end(std::future::ready(())).await;
        return Ok(());
    };
    start(&process, settings, log.clone(), url, Gate::default());
    process.opened(&log);
    tracing::info!(ops = %process.ops_address, "projecting");
    process.await_stop().await;
    process.end(std::future::ready(())).await;
    Ok(())
}

/// What to do without a database.
pub(crate) const NO_DATABASE: &str = "no database is configured; set GESTA_POSTGRES_URL, --postgres-url or postgres.url in the configuration file";
