//! Backends, records and small helpers for the tests.

use std::path::Path;

use chrono::{DateTime, TimeZone, Utc};
use event_log::{
    Claimed, Content, Counted, Cursor, EmbeddedOptions, Kind, Log, MemoryOptions, Ownership, Record, Start,
};
use schemas::commit::{Actor, CommandRef, Commit, EventRecord};
use schemas::ids::Tenant;
use tempfile::TempDir;

use super::topic::Topic;

pub(crate) const SHARDS: u16 = 3;

/// The backends that keep the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Embedded,
    /// With segments so small that a test of a few hundred records fills several, and nearly no tail.
    SmallSegments,
    /// One broker.
    Kafka,
    /// A cluster of three, every record three times.
    ThreeNodes,
}

/// A log, and its directory or topic if it has one.
pub(crate) struct Fixture {
    pub(crate) log: Log,
    _dir: Option<TempDir>,
    _topic: Option<Topic>,
}

impl Backend {
    pub(crate) async fn open(self) -> Fixture {
        let disk = |options: fn(&Path) -> EmbeddedOptions| {
            let dir = quick_dir();
            Fixture { log: Log::open(options(dir.path())).unwrap(), _dir: Some(dir), _topic: None }
        };
        match self {
            Self::Memory => {
                let options = MemoryOptions { shards: SHARDS, ..MemoryOptions::default() };
                Fixture { log: Log::memory(options), _dir: None, _topic: None }
            }
            Self::Embedded => disk(options),
            Self::SmallSegments => disk(small),
            Self::Kafka | Self::ThreeNodes => {
                let topic = if self == Self::Kafka { Topic::one_node() } else { Topic::three_nodes() };
                Log::kafka_init(topic.options()).await.unwrap();
                Fixture { log: topic.log().await, _dir: None, _topic: Some(topic) }
            }
        }
    }
}

/// A directory for a log whose disk is not what is tested: in memory where the system has such a place.
pub(crate) fn quick_dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(crate) fn options(dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions::new(dir, "test", SHARDS)
}

pub(crate) fn small(dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions { segment_bytes: EmbeddedOptions::MIN_SEGMENT_BYTES, tail_bytes: 4_096, ..options(dir) }
}

pub(crate) fn at(n: u64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(1_700_000_000_000 + i64::try_from(n).unwrap()).unwrap()
}

/// A commit of one event whose version, time and command id are `n`.
pub(crate) fn commit(n: u64) -> Commit {
    let tenant = Tenant::new("test").unwrap();
    let stream: schemas::ids::Stream = "test/task/one".parse().unwrap();
    Commit {
        command: CommandRef { id: n.to_string(), kind: "task.test".into(), body_hash: "00".repeat(16) },
        home: stream.clone(),
        tenant,
        actor: Actor { kind: "user".into(), id: "tester".into() },
        correlation: "c".into(),
        causation: "c".into(),
        trace: None,
        at: at(n),
        events: vec![EventRecord {
            stream,
            version: n,
            kind: "gesta.work.task.created.v1".into(),
            v: 1,
            data: serde_json::value::to_raw_value(&serde_json::json!({"n": n})).unwrap(),
        }],
    }
}

/// The owner's next record, a commit numbered `n`.
pub(crate) fn record(owner: &mut Ownership, n: u64) -> Record {
    Record {
        fence: owner.stamp(Kind::Commit),
        key: "test/task/one".into(),
        value: serde_json::to_vec(&commit(n)).unwrap().into(),
    }
}

/// Appends commits `numbers` as one batch and proves them.
pub(crate) async fn append(
    log: &Log,
    owner: &mut Ownership,
    numbers: impl IntoIterator<Item = u64>,
) -> Vec<u64> {
    let first = owner.next_seq();
    let records: Vec<Record> = numbers.into_iter().map(|n| record(owner, n)).collect();
    let offsets = log.append(owner.shard(), records).await.unwrap();
    for (seq, offset) in (first..).zip(&offsets) {
        owner.report(seq, Some(*offset)).unwrap();
    }
    offsets
}

pub(crate) async fn claim(log: &Log, shard: u16) -> Claimed {
    log.claim(shard, "127.0.0.1:7070").await.unwrap()
}

/// Everything that counts from `start` on.
pub(crate) async fn read_all(log: &Log, start: Start) -> Vec<Counted> {
    let mut reader = log.reader(start).await.unwrap();
    let mut counted = Vec::new();
    loop {
        let more = reader.next(100).await.unwrap();
        if more.is_empty() {
            assert_eq!(reader.cursor().next_offset, log.end(reader.cursor().shard));
            return counted;
        }
        counted.extend(more);
    }
}

/// The numbers of the commits among `counted`.
pub(crate) fn numbers(counted: &[Counted]) -> Vec<u64> {
    let number = |c: &Counted| match &c.content {
        Content::Commit(commit) => Some(commit.events[0].version),
        _ => None,
    };
    counted.iter().filter_map(number).collect()
}

pub(crate) async fn commits(log: &Log, shard: u16) -> Vec<u64> {
    numbers(&read_all(log, Start::Beginning(shard)).await)
}

/// The cursor at the end of a shard.
pub(crate) async fn cursor(log: &Log, shard: u16) -> Cursor {
    read_all(log, Start::Beginning(shard)).await.last().unwrap().cursor
}
