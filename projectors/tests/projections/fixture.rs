//! A log in memory, a database of its own, and projections between them.

use std::time::Duration;

use event_log::memory::FaultHandle;
use event_log::{Kind, Log, MemoryOptions, Ownership, Record};
use projectors::{Options, RunError, Status, run};
use schemas::commit::{Actor, CommandRef, Commit, EventRecord};
use serde_json::value::to_raw_value;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::database;
use crate::history::Step;

/// Longest wait for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) log: Log,
    pub(crate) faults: FaultHandle,
    pub(crate) url: String,
    pub(crate) pool: PgPool,
    owners: Vec<Ownership>,
    commands: u64,
}

impl Fixture {
    pub(crate) async fn new(shards: u16) -> Self {
        let url = database::migrated().await;
        let (log, faults) = Log::memory_with_faults(MemoryOptions { shards, ..MemoryOptions::default() });
        let mut owners = Vec::new();
        for shard in 0..shards {
            owners.push(log.claim(shard, "").await.unwrap().ownership);
        }
        let pool = migrations::projector_pool(&url, 6).unwrap();
        Self { log, faults, url, pool, owners, commands: 0 }
    }

    /// The log of another fixture with the database of this one.
    pub(crate) fn beside(&self, other: &Self) -> Self {
        let (log, faults) = (other.log.clone(), other.faults.clone());
        let (url, pool) = (self.url.clone(), self.pool.clone());
        Self { log, faults, url, pool, owners: Vec::new(), commands: 0 }
    }

    fn commit(&mut self, step: &Step) -> Commit {
        self.commands += 1;
        let event = |(version, kind, v, data): &(u64, &'static str, u32, serde_json::Value)| EventRecord {
            stream: step.stream.clone(),
            version: *version,
            kind: (*kind).to_owned(),
            v: *v,
            data: to_raw_value(data).unwrap(),
        };
        Commit {
            command: CommandRef {
                id: format!("command-{}", self.commands),
                kind: step.command.to_owned(),
                body_hash: "0".repeat(32),
            },
            home: step.stream.clone(),
            tenant: step.tenant.clone(),
            actor: Actor { kind: "user".into(), id: "alice".into() },
            correlation: format!("correlation-{}", self.commands % 10),
            causation: format!("command-{}", self.commands),
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            at: step.at,
            events: step.events.iter().map(event).collect(),
        }
    }

    /// Appends steps to the shards of their ids, in order.
    pub(crate) async fn append(&mut self, steps: &[Step]) {
        let shards = self.log.genesis().shards;
        let mut batches = vec![Vec::new(); usize::from(shards)];
        for step in steps {
            let id: schemas::ids::AggregateId = step.stream.id().parse().unwrap();
            let commit = self.commit(step);
            let shard = usize::from(id.route().shard(shards));
            let fence = self.owners[shard].stamp(Kind::Commit);
            let value = serde_json::to_vec(&commit).unwrap().into();
            batches[shard].push(Record { fence, key: step.stream.to_string(), value });
        }
        for (shard, batch) in (0..).zip(batches) {
            for part in batch.chunks(1_000) {
                self.log.append(shard, part.to_vec()).await.unwrap();
            }
        }
    }

    /// Runs the projections until they are stopped.
    pub(crate) fn start(&self, options: Options) -> Running {
        let cancel = CancellationToken::new();
        let status = options.status.clone();
        let task = tokio::spawn(run(self.log.clone(), self.pool.clone(), options, cancel.clone()));
        Running { status, task, cancel }
    }

    /// Applies all there is, or what can be.
    pub(crate) async fn run_to_end(&self) -> Result<(), RunError> {
        let options = Options { until_end: true, ..Options::default() };
        run(self.log.clone(), self.pool.clone(), options, CancellationToken::new()).await
    }

    /// Applies all there is.
    pub(crate) async fn catch_up(&self) {
        self.run_to_end().await.unwrap();
    }

    /// How many events each projection of the first generation counted as applied.
    pub(crate) async fn counted(&self) -> Vec<(String, i64)> {
        let sql = "SELECT name, sum(events_applied)::bigint FROM gesta.projections WHERE generation = 1 GROUP BY name";
        sqlx::query_as(sql).fetch_all(&self.pool).await.unwrap()
    }

    /// Waits until the stored cursors of a generation stand at the end of the log.
    pub(crate) async fn applied(&self, generation: i32) {
        let reached = async {
            let mut changed = sqlx::postgres::PgListener::connect(&self.url).await.unwrap();
            changed.listen(migrations::CHANNEL).await.unwrap();
            while !self.is_applied(generation).await {
                changed.recv().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, reached).await.expect("the projections reach the end of the log");
    }

    async fn is_applied(&self, generation: i32) -> bool {
        let sql = "SELECT shard, min(next_offset), count(*) FROM gesta.projections WHERE generation = $1 GROUP BY shard";
        let rows: Vec<(i32, i64, i64)> =
            sqlx::query_as(sql).bind(generation).fetch_all(&self.pool).await.unwrap();
        let (shards, all) = (self.log.genesis().shards, migrations::shapes("g1").len());
        rows.len() == usize::from(shards)
            && rows.iter().all(|(shard, offset, count)| {
                let end = self.log.end(u16::try_from(*shard).unwrap());
                usize::try_from(*count).unwrap() == all && u64::try_from(*offset).unwrap() == end
            })
    }
}

/// A run in the background; dropped, it is torn down as a crash would.
pub(crate) struct Running {
    pub(crate) status: Status,
    pub(crate) task: JoinHandle<Result<(), RunError>>,
    cancel: CancellationToken,
}

impl Running {
    pub(crate) async fn stop(mut self) {
        self.cancel.cancel();
        tokio::time::timeout(DEADLINE, &mut self.task).await.expect("a cancelled run ends").unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks again and again until `holds`; the test fails when that takes too long.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let holding = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, holding).await.unwrap_or_else(|_| panic!("{what}"));
}
