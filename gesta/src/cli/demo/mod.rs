//! The main job, shown: a fleet of workers takes the inventory of a repository.
//!
//! Everything happens over HTTP, and the workers are processes of their own. One of them is killed
//! halfway on purpose: what it held is finished by the others once its leases run out.

mod children;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cli::bar::Bar;
use crate::cli::plan::{self, Plan, PlanError};
use crate::client::{CallError, Client, Connection};
use crate::out;
use crate::settings::args::ConnectionArgs;
use children::Fleet;

/// Time between two looks at how far the job is.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Length of a lease: as long as it takes until another worker takes over.
const LEASE_MS: u32 = 2_500;
/// First wait before a lost task is tried again.
const BACKOFF_MS: u32 = 100;
/// Attempts per task: one more than usual, since one worker is killed on purpose.
const MAX_ATTEMPTS: u32 = 4;
/// Tasks that are created at the same time.
const CREATIONS: usize = 8;
/// How long the job may stand still before it counts as stuck.
const STANDSTILL: Duration = Duration::from_secs(60);
/// How long read models may be marked as stopped before that is believed: a mark of an earlier process goes
/// as soon as they have begun again.
const STOPPED_FOR: Duration = Duration::from_secs(2);

/// Flags of `gesta demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// Repository whose inventory is taken.
    #[arg(long, default_value = ".", value_name = "PATH")]
    pub(crate) repo: PathBuf,
    /// Workers that are started.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) workers: u32,
    /// Address that a worker claims at, where there are several; may be repeated [default: the address of Gesta].
    #[arg(long, value_name = "URL")]
    pub(crate) worker_url: Vec<String>,
}

/// Why the job was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The repository.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The calls.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The workers.
    #[error("the workers cannot be started: {0}")]
    Workers(std::io::Error),
    /// Standard output.
    #[error("the result could not be written: {0}")]
    Output(#[from] std::io::Error),
    /// Nothing moves.
    #[error("{done} of {all} tasks are done, and for {} s none was: {advice}", STANDSTILL.as_secs())]
    Stuck {
        /// Tasks that ended.
        done: usize,
        /// All tasks.
        all: usize,
        /// What to look at.
        advice: &'static str,
    },
    /// The work would be over unseen.
    #[error(
        "the read models are stopped: {0}. To begin anew with an empty log and an empty database: make reset, \
         or another --data-dir and another GESTA_POSTGRES_URL"
    )]
    ReadModels(String),
    /// The answer of the query lacks what was asked for.
    #[error("the answer of the query cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// Stopped before the end.
    #[error("stopped before the job was done")]
    Stopped,
    /// Some tasks did not succeed.
    #[error("{0} tasks did not succeed; the table above names them")]
    Failed(usize),
}

/// A job: tasks of one queue of its own.
struct Job {
    id: String,
    queue: String,
    plan: Plan,
}

/// Runs the job and shows its result.
///
/// # Errors
/// [`DemoError`].
pub(crate) async fn run(
    connection: &Connection,
    args: &DemoArgs,
    stop: CancellationToken,
) -> Result<(), DemoError> {
    let begun = Instant::now();
    let client = Client::new(connection)?.with_patience(STANDSTILL);
    let repo = args.repo.clone();
    let planned = tokio::task::spawn_blocking(move || plan::make(&repo));
    let plan = tokio::select! {
        plan = planned => plan.unwrap_or_else(|error| Err(PlanError::Broken(error.to_string())))?,
        () = stop.cancelled() => return Err(DemoError::Stopped),
    };
    let id = Uuid::new_v4().simple().to_string()[..8].to_owned();
    let job = Job { queue: format!("inventory-{id}"), id, plan };
    out::line(format_args!(
        "job {}: the inventory of {}, {} files in {} tasks",
        job.id,
        job.plan.repo.display(),
        job.plan.files.len(),
        job.plan.orders.len()
    ))?;
    let mut fleet = Fleet::start(connection, &job.queue, args).map_err(DemoError::Workers)?;
    let shown = tokio::select! {
        shown = show(&client, &job, &mut fleet) => shown,
        () = stop.cancelled() => Err(DemoError::Stopped),
    };
    fleet.stop().await;
    let failed = shown?;
    out::line(format_args!("done in {:.1} s", begun.elapsed().as_secs_f64()))?;
    report::farewell(connection, &job)?;
    if failed == 0 { Ok(()) } else { Err(DemoError::Failed(failed)) }
}

/// Creates the tasks, watches them to their end and prints what came of them.
async fn show(client: &Client, job: &Job, fleet: &mut Fleet) -> Result<usize, DemoError> {
    await_read_models(client).await?;
    create(client, job).await?;
    watch(client, job, fleet).await?;
    let answer = client.query(report::QUERY, json!({ "queue": job.queue })).await?;
    let result = report::read(&answer, fleet)?;
    out::line(result.tables())?;
    Ok(result.unsuccessful())
}

/// Waits until the read models can show the work: on a fresh database they are still being made.
async fn await_read_models(client: &Client) -> Result<(), DemoError> {
    let begun = Instant::now();
    loop {
        match report::stopped(&client.query(report::READ_MODELS, json!({})).await?) {
            None => return Ok(()),
            Some(why) if begun.elapsed() > STOPPED_FOR => return Err(DemoError::ReadModels(why)),
            Some(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

async fn create(client: &Client, job: &Job) -> Result<(), CallError> {
    let creations = job.plan.orders.iter().enumerate().map(|(number, (title, order))| {
        let body = json!({
            "queue": job.queue,
            "type": "inventory",
            "title": title,
            "payload": order,
            "metadata": { "job": job.id },
            "policy": { "leaseMs": LEASE_MS, "backoffBaseMs": BACKOFF_MS, "maxAttempts": MAX_ATTEMPTS },
        });
        let key = format!("job-{}-{number}", job.id);
        async move { client.command("tasks", &key, &body).await.map(drop) }
    });
    stream::iter(creations).buffer_unordered(CREATIONS).try_collect().await
}

/// Follows the job to its end; kills one worker when half is done and it holds a task.
async fn watch(client: &Client, job: &Job, fleet: &mut Fleet) -> Result<(), DemoError> {
    let all = job.plan.orders.len();
    let bar = Bar::new(all);
    let mut moved = Instant::now();
    let mut done = 0;
    loop {
        let answer = client.query(report::PROGRESS, json!({ "queue": job.queue })).await?;
        if report::stopped(&answer).is_some() {
            await_read_models(client).await?;
        }
        let ended = report::ended(&answer);
        if ended != done {
            (done, moved) = (ended, Instant::now());
            bar.reach(done);
        }
        if done >= all {
            bar.finish();
            return Ok(());
        }
        if moved.elapsed() > STANDSTILL {
            let advice = "see the workers' log lines above and /readyz of the second port";
            return Err(DemoError::Stuck { done, all, advice });
        }
        let look = tokio::time::sleep(LOOK_EVERY);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = &mut look => break,
                started = fleet.heard() => {
                    let half = fleet.succeeded() * 2 >= all;
                    if let (true, Some(victim)) = (half && fleet.all_alive(), started) {
                        bar.say(&fleet.kill(victim).await);
                    }
                }
            }
        }
    }
}
