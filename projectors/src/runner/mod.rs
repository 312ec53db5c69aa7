//! Running the projections: per shard, batch by batch, as architecture §5 says.

mod begin;
mod bisect;
mod breaker;
mod cache;
mod context;
mod depths;
mod discards;
mod failure;
mod group;
mod model;
mod parked;
mod redrive;
mod report;
mod rows;
mod shard;
mod unit;

use std::sync::Arc;
use std::time::Duration;

use event_log::Log;
use migrations::{NewerSchema, VersionError, generation};
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::options::Options;
use crate::publisher::{self, Outlet, PUBLISHER, PublishOptions};
use breaker::Breaker;
use cache::Budget;
use context::Context;
use depths::Depths;
pub(crate) use discards::Discard;
pub(crate) use failure::Failure;
use parked::Limits;
pub(crate) use parked::{Cause, Letter};
use rows::Source;

/// Loads of rows at the same time.
const LOADERS: usize = 2;
/// Time between two tries to reach Postgres at the start.
const RETRY: Duration = Duration::from_secs(1);

/// Why a run did not begin or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No projection has that name.
    #[error("there is no projection {name}; there are {}", .known.join(", "))]
    UnknownProjection {
        /// Asked for.
        name: String,
        /// All that can be run.
        known: Vec<&'static str>,
    },
    /// A newer release migrated the database.
    #[error(transparent)]
    Newer(#[from] NewerSchema),
    /// The database has no generation to write.
    #[error("the database holds no generation of the read models; run `gesta migrate`")]
    NoGeneration,
    /// A run to the end of the log met something it must not pass over.
    #[error("shard {shard}: {error}")]
    Stopped {
        /// Shard.
        shard: u16,
        /// What stopped it.
        error: String,
    },
}

/// Applies the log to the read models until it is cancelled, or to the log's end when the options say
/// so. While Postgres is away it waits, for ever; [`Options::status`] tells.
///
/// `pool` acts as the projector ([`migrations::projector_pool`]).
///
/// # Errors
/// [`RunError`]; an outage is none.
pub async fn run(
    log: Log,
    pool: PgPool,
    options: Options,
    cancel: CancellationToken,
) -> Result<(), RunError> {
    let units = chosen(&options)?;
    let status = options.status.clone();
    let live = tokio::select! {
        () = cancel.cancelled() => return Ok(()),
        live = database(&pool, &options) => live?,
    };
    let shards = log.genesis().shards;
    let context = Arc::new(Context {
        log,
        source: Source { pool, schema: generation::schema(live), loaders: Semaphore::new(LOADERS) },
        generation: i32::try_from(live).map_err(|_| RunError::NoGeneration)?,
        units,
        batch_commits: options.batch_commits.max(1),
        batch_bytes: options.batch_bytes.max(1),
        budget: Budget::new(options.cache_bytes),
        depths: Depths::default(),
        writers: Semaphore::new(options.writers.max(1)),
        parked: Limits {
            streams: options.parked_streams.div_ceil(usize::from(shards.max(1))),
            letters: options.parked_letters,
        },
        breaker: Breaker::default(),
        until_end: options.until_end,
        status,
    });
    let publishing = options.publish.map(|publish| Arc::new(publisher(&context, publish)));
    let mut names: Vec<_> = context.units.iter().flat_map(|unit| unit::names(unit)).copied().collect();
    names.extend(publishing.as_ref().map(|_| PUBLISHER));
    context.status.begin(shards, &names);
    let mut runners = JoinSet::new();
    for shard in 0..shards {
        let (context, cancel) = (Arc::clone(&context), cancel.clone());
        if let Some(publishing) = publishing.clone() {
            let cancel = cancel.clone();
            runners.spawn(async move { (shard, publisher::run(publishing, shard, cancel).await) });
        }
        runners.spawn(async move { (shard, shard::run(context, shard, cancel).await) });
    }
    while let Some(ended) = runners.join_next().await {
        match ended {
            Ok((_, Ok(()))) => {}
            Ok((shard, Err(failure))) => return Err(RunError::Stopped { shard, error: failure.to_string() }),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    Ok(())
}

fn publisher(context: &Context, options: PublishOptions) -> publisher::Context {
    publisher::Context {
        log: context.log.clone(),
        pool: context.source.pool.clone(),
        generation: context.generation,
        outlet: Outlet::new(options.topics),
        personal: options.personal,
        until_end: context.until_end,
        status: context.status.clone(),
        mover: Semaphore::new(1),
    }
}

fn chosen(options: &Options) -> Result<Vec<&'static str>, RunError> {
    for name in &options.projections {
        if !unit::UNITS.contains(&name.as_str()) {
            return Err(RunError::UnknownProjection { name: name.clone(), known: unit::UNITS.to_vec() });
        }
    }
    let wanted = |name: &str| options.projections.is_empty() || options.projections.iter().any(|n| n == name);
    Ok(unit::UNITS.iter().filter(|name| wanted(name)).copied().collect())
}

/// Waits for a database of this release's schema; gives the generation to write.
async fn database(pool: &PgPool, options: &Options) -> Result<u32, RunError> {
    loop {
        let problem = match (migrations::check_version(pool).await, options.generation) {
            (Ok(()), Some(generation)) => return Ok(generation),
            (Ok(()), None) => match generation::live(pool).await {
                Ok(live) => return live.ok_or(RunError::NoGeneration),
                Err(error) => error.to_string(),
            },
            (Err(VersionError::Newer(newer)), _) => return Err(newer.into()),
            (Err(VersionError::Database(error)), _) => error.to_string(),
        };
        tracing::warn!(problem, "waiting for Postgres");
        options.status.set_waiting(format!("waiting for Postgres: {problem}"));
        tokio::time::sleep(RETRY).await;
    }
}
