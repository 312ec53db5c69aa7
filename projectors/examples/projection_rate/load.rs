//! Tasks in a log, and leases of them that are renewed.

use std::ops::Range;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use event_log::{Kind, Log, Ownership, Record};
use schemas::commit::{Actor, CommandRef, Commit, EventRecord};
use schemas::ids::{AggregateId, Route, Stream, Tenant};
use schemas::task::{LeaseRenewed, Priority, QueuedBecause, TaskAssigned, TaskCreated, TaskEvent};
use schemas::task::{TaskPolicy, TaskQueued, TaskStarted};
use serde_json::json;
use serde_json::value::to_raw_value;
use uuid::Uuid;

/// Queues that the tasks lie in; they cover every shard.
const QUEUES: usize = 64;
/// Records of one append.
const APPEND: usize = 5_000;
/// Length of a lease: none runs out while anything is measured.
const LEASE: TimeDelta = TimeDelta::days(1);

/// Records by shard.
pub(crate) type Records = Vec<Vec<Record>>;

pub(crate) struct Load {
    pub(crate) log: Log,
    owners: Vec<Ownership>,
    tenant: Tenant,
    tasks: Vec<(Stream, u16, u64)>,
    random: u64,
}

impl Load {
    /// `keys` tasks that are still to be created in `log`.
    pub(crate) async fn new(log: Log, keys: usize) -> Result<Self> {
        let shards = log.genesis().shards;
        let mut owners = Vec::new();
        for shard in 0..shards {
            owners.push(log.claim(shard, "").await?.ownership);
        }
        let tenant = Tenant::new("bench")?;
        let task = |n: usize| {
            let route = Route::of(&tenant, &format!("queue-{}", n % QUEUES));
            let id = AggregateId::derive(&tenant, "task", route, &n.to_string());
            (Stream::of(&tenant, "task", id), route.shard(shards), 0)
        };
        let tasks = (0..keys).map(task).collect();
        Ok(Self { log, owners, tenant, tasks, random: 42 })
    }

    /// The first commit of these tasks: created and queued, leased and started too when they run.
    pub(crate) fn begun(&mut self, tasks: Range<usize>, run: bool) -> Records {
        let events = life(Utc::now());
        let events = if run { events.as_slice() } else { &events[..2] };
        let mut records = self.none();
        for n in tasks {
            self.push(n, events, &mut records);
        }
        records
    }

    fn none(&self) -> Records {
        vec![Vec::new(); self.owners.len()]
    }

    /// Renews the leases of tasks drawn at random.
    pub(crate) fn renewals(&mut self, count: usize) -> Records {
        let mut records = self.none();
        for _ in 0..count {
            self.random =
                self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let n = usize::try_from(self.random >> 33).unwrap_or(0) % self.tasks.len();
            let lease_expires_at = Utc::now() + LEASE;
            self.push(n, &[LeaseRenewed { fencing_token: 1, lease_expires_at }.into()], &mut records);
        }
        records
    }

    fn push(&mut self, n: usize, events: &[TaskEvent], records: &mut Records) {
        let (stream, shard, version) = &mut self.tasks[n];
        let record = |event: &TaskEvent| {
            *version += 1;
            let (kind, v) = event.kind();
            let data = to_raw_value(event).expect("an event is JSON");
            EventRecord { stream: stream.clone(), version: *version, kind: kind.into(), v, data }
        };
        let events = events.iter().map(record).collect();
        let commit = Commit {
            command: CommandRef {
                id: Uuid::new_v4().to_string(),
                kind: "task.renew".into(),
                body_hash: "0".repeat(32),
            },
            home: stream.clone(),
            tenant: self.tenant.clone(),
            actor: Actor { kind: "agent".into(), id: "worker".into() },
            correlation: Uuid::new_v4().to_string(),
            causation: Uuid::new_v4().to_string(),
            trace: None,
            at: Utc::now(),
            events,
        };
        let shard = usize::from(*shard);
        let value = serde_json::to_vec(&commit).expect("a commit is JSON").into();
        let fence = self.owners[shard].stamp(Kind::Commit);
        records[shard].push(Record { fence, key: commit.home.to_string(), value });
    }

    pub(crate) async fn append(&self, records: Records) -> Result<()> {
        for (shard, records) in (0..).zip(records) {
            for part in records.chunks(APPEND) {
                self.log.append(shard, part.to_vec()).await?;
            }
        }
        Ok(())
    }
}

/// A task from its creation to its start.
fn life(now: DateTime<Utc>) -> [TaskEvent; 4] {
    let created = TaskCreated {
        queue: "queue".into(),
        kind: "inventory".into(),
        title: "count the lines of a file".into(),
        description: None,
        priority: Priority::Normal,
        payload: json!({"path": "src/main.rs"}).as_object().cloned().unwrap_or_default(),
        requirements: vec![],
        parent_id: None,
        depends_on: vec![],
        hold: false,
        run_at: None,
        deadline: None,
        policy: TaskPolicy::default(),
        metadata: [].into(),
    };
    let assigned = TaskAssigned {
        worker: "worker".into(),
        lease_id: Uuid::from_u128(7),
        fencing_token: 1,
        attempt: 1,
        lease_expires_at: now + LEASE,
    };
    [
        created.into(),
        TaskQueued { because: QueuedBecause::Created, enqueued_at: now }.into(),
        assigned.into(),
        TaskStarted { fencing_token: 1 }.into(),
    ]
}
