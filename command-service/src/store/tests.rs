use std::collections::HashMap;

use event_log::FORMAT;
use uuid::Uuid;

use super::*;
use crate::aggregates::Refusal;
use crate::shard::receipts::{Many, Outcome, Receipt};

fn log(id: u128) -> Genesis {
    let log_id = Uuid::from_u128(id);
    Genesis { log_id, deployment: "test".into(), generation: 1, shards: 1, format: FORMAT }
}

fn needs(commands: &[CommandKey]) -> Needs {
    Needs { streams: Vec::new(), commands: commands.to_vec() }
}

/// A checkpoint is read back as it was written, by the next process too; shards do not mix.
#[test]
fn a_checkpoint_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let (genesis, stream): (_, Stream) = (log(1), "acme/task/a".parse().unwrap());
    let kind = "gesta.work.task.started.v1";
    let one = Receipt { body: u128::MAX - 5, offset: 7, outcome: Outcome::One { kind, version: 3 } };
    let many = Many {
        events: vec![(stream.clone(), 1, kind), (stream.clone(), 2, kind)],
        leases: vec![(stream, Uuid::from_u128(9))],
        refusal: Some(Refusal::StaleToken { given: 1, current: 2 }),
    };
    let many = Receipt { body: 1, offset: 8, outcome: Outcome::Many(Box::new(many)) };
    let commands = vec![(CommandKey(1), one), (CommandKey(u128::MAX), many)];
    let cursor = Cursor::beginning(&genesis, 0);
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    let checkpoint = Checkpoint { cursor, at, streams: HashMap::new(), commands: commands.clone() };
    let store = Store::open(dir.path(), &genesis).unwrap();
    assert!(store.restore(0).unwrap().is_none());
    store.save(0, &checkpoint).unwrap();
    drop(store);
    let store = Store::open(dir.path(), &genesis).unwrap();
    let restored = store.restore(0).unwrap().unwrap();
    assert_eq!((restored.cursor, restored.at, restored.marks.len()), (cursor, at, 0));
    let keys = [CommandKey(1), CommandKey(u128::MAX), CommandKey(2)];
    let loaded = store.load(0, needs(&keys)).unwrap().commands;
    let expected: Vec<_> = commands.into_iter().map(|(key, receipt)| (key, Some(receipt))).collect();
    assert_eq!(loaded[..2], expected);
    assert_eq!(loaded[2].1, None);
    assert!(store.restore(1).unwrap().is_none());
    assert!(store.load(1, needs(&keys)).unwrap().commands.iter().all(|(_, receipt)| receipt.is_none()));
}

/// The store of another log is discarded, not read.
#[test]
fn the_store_of_another_log_is_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let cursor = Cursor::beginning(&log(1), 0);
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    let checkpoint = Checkpoint { cursor, at, streams: HashMap::new(), commands: Vec::new() };
    Store::open(dir.path(), &log(1)).unwrap().save(0, &checkpoint).unwrap();
    assert!(Store::open(dir.path(), &log(2)).unwrap().restore(0).unwrap().is_none());
}
