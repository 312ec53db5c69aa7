//! The scenarios of log.md §10 that concern the log alone, each by its name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event_log::memory::{Fault, MemoryCore};
use event_log::{
    ClaimAttempt, ClaimError, Cursor, FORMAT, Fence, Genesis, Kind, Log, MemoryOptions, Ownership, ReadError,
    Start,
};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::support::{append, claim, commits, cursor, numbers, record};

fn core() -> MemoryCore {
    MemoryCore::new(Genesis {
        log_id: uuid::Uuid::from_u128(1),
        deployment: "test".into(),
        generation: 1,
        shards: 1,
        format: FORMAT,
    })
}

/// The cursor of a reader that has read everything.
fn end(core: &MemoryCore) -> Cursor {
    core.read(&Cursor::beginning(core.genesis(), 0), usize::MAX).unwrap().1
}

fn counted(core: &MemoryCore) -> Vec<u64> {
    numbers(&core.read(&Cursor::beginning(core.genesis(), 0), usize::MAX).unwrap().0)
}

/// Claims with a chosen nonce and reads back up to the claim.
fn owner(core: &mut MemoryCore, nonce: u128) -> Result<Ownership, ClaimError> {
    let attempt = ClaimAttempt::new(&end(core), nonce, "");
    let id = core.send(0, vec![attempt.record()]);
    let offset = core.land(id)[0];
    attempt.decide(offset, &end(core))
}

fn land(core: &mut MemoryCore, owner: &mut Ownership, n: u64) -> Option<u64> {
    let seq = owner.next_seq();
    let id = core.send(0, vec![record(owner, n)]);
    let offset = core.land(id)[0];
    owner.report(seq, Some(offset)).ok().map(|()| offset)
}

/// PLAT-1, PLAT-6
#[test]
fn an_acknowledged_claim_is_lost_and_claimed_again_at_the_same_epoch() {
    let mut core = core();
    let mut first = owner(&mut core, 0xA).unwrap();
    let stood = end(&core);
    core.truncate(0, first.base());
    let mut second = owner(&mut core, 0xB).unwrap();
    assert_eq!((first.epoch(), first.base()), (second.epoch(), second.base()));
    assert!(land(&mut core, &mut second, 1).is_some());
    assert_eq!(land(&mut core, &mut first, 666), None, "the stale owner's record is one offset too far");
    assert_eq!(counted(&core), [1], "only the nonce tells the two owners apart");
    let why = core.check(&stood).unwrap_err();
    assert!(matches!(why, ReadError::Changed { offset: 1, .. }), "{why}");
}

/// PLAT-1, PLAT-6
#[test]
fn two_claimers_read_the_same_epoch() {
    let mut core = core();
    let attempts = [0xA, 0xB].map(|nonce| ClaimAttempt::new(&end(&core), nonce, ""));
    let mut owners = attempts.map(|attempt| {
        let id = core.send(0, vec![attempt.record()]);
        let offset = core.land(id)[0];
        attempt.decide(offset, &end(&core))
    });
    assert!(matches!(owners[1], Err(ClaimError::Lost { epoch: 1, .. })));
    let first = owners[0].as_mut().unwrap();
    // The loser's claim took the offset of the winner's first record: it cannot prove it, and claims again.
    assert_eq!(land(&mut core, first, 1), None);
    let mut owner = owner(&mut core, 0xC).unwrap();
    assert!(land(&mut core, &mut owner, 2).is_some());
    assert_eq!(counted(&core), [1, 2], "unproven is decided by claim and read");
}

/// PLAT-1, PLAT-6
#[test]
fn a_claim_between_two_batches() {
    let mut core = core();
    let mut first = owner(&mut core, 0xA).unwrap();
    assert!(land(&mut core, &mut first, 1).is_some());
    let mut second = owner(&mut core, 0xB).unwrap();
    assert_eq!(land(&mut core, &mut first, 2), None);
    assert_eq!(first.proven(), 1);
    assert_eq!(land(&mut core, &mut second, 3), None, "the zombie's record stands where it had to land");
    let mut second = owner(&mut core, 0xC).unwrap();
    assert!(land(&mut core, &mut second, 4).is_some());
    assert_eq!(counted(&core), [1, 3, 4]);
}

/// PLAT-1, PLAT-6
#[test]
fn a_zombies_record_at_the_retried_commands_sequence() {
    for late in [true, false] {
        let mut core = core();
        let mut first = owner(&mut core, 0xA).unwrap();
        let delayed = core.send(0, vec![record(&mut first, 1)]);
        if !late {
            core.land(delayed);
        }
        let mut second = owner(&mut core, 0xB).unwrap();
        if late {
            assert!(counted(&core).is_empty());
            assert!(land(&mut core, &mut second, 1).is_some(), "absent, so it is executed again");
            core.land(delayed);
        }
        assert_eq!(counted(&core), [1], "the delayed batch landed after the claim: {late}");
    }
}

/// PLAT-1
#[test]
fn a_log_truncated_below_a_cursor() {
    let mut core = core();
    let mut owner = owner(&mut core, 0xA).unwrap();
    for n in 1..=3 {
        land(&mut core, &mut owner, n);
    }
    let stood = end(&core);
    core.truncate(0, 3);
    assert!(matches!(core.check(&stood), Err(ReadError::Truncated { end: 3, next_offset: 5, .. })));
    assert!(matches!(core.read(&stood, 1), Err(ReadError::Truncated { .. })));
    let seq = owner.next_seq();
    let id = core.send(0, vec![record(&mut owner, 4)]);
    let broken = owner.report(seq, core.land(id).first().copied()).unwrap_err();
    assert!(broken.is_damage(), "a report below the expected offset: {broken}");
}

/// PLAT-1
#[test]
fn a_claim_read_back_as_skipping_an_epoch() {
    let mut core = core();
    owner(&mut core, 0xA).unwrap();
    let attempt = ClaimAttempt::new(&end(&core), 0xB, "");
    core.truncate(0, 1);
    let id = core.send(0, vec![attempt.record()]);
    let offset = core.land(id)[0];
    let damaged = attempt.decide(offset, &end(&core)).unwrap_err();
    assert!(matches!(damaged, ClaimError::Damaged { claimed: 2, found: 0, .. }), "{damaged}");
}

/// Counts what one metric rises by.
#[derive(Clone)]
pub(crate) struct Rise(pub(crate) &'static str, pub(crate) Arc<AtomicU64>);

impl CounterFn for Rise {
    fn increment(&self, value: u64) {
        self.1.fetch_add(value, Ordering::Relaxed);
    }
    fn absolute(&self, _: u64) {}
}

impl Recorder for Rise {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == self.0 { Counter::from_arc(Arc::new(self.clone())) } else { Counter::noop() }
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// PLAT-1: foreign records are void and counted, wherever they stand.
#[test]
fn foreign_records() {
    let mut core = core();
    let mut owner = owner(&mut core, 0xA).unwrap();
    land(&mut core, &mut owner, 1);
    core.append_foreign(0, b"", "hello".into());
    core.append_foreign(0, &[0; 33], "".into());
    let stranger = Fence { kind: Kind::Commit, epoch: 1, nonce: 0xB, seq: 2 };
    core.append_foreign(0, &stranger.encode(), "{}".into());
    let rise = Rise("gesta_log_void_records_total", Arc::default());
    let read = metrics::with_local_recorder(&rise, || counted(&core));
    assert_eq!((read, rise.1.load(Ordering::Relaxed)), (vec![1], 3));
    assert_eq!(
        land(&mut core, &mut owner, 2),
        None,
        "a foreign record takes an offset, so the owner claims again"
    );
    assert_eq!(counted(&core), [1, 2]);
}

/// PLAT-1, PLAT-28: what the owner wrote and this release cannot read stops the reader, by name, and stays.
#[test]
fn a_record_of_a_newer_release_stops_the_reader() {
    let mut unknown = Fence { kind: Kind::Commit, epoch: 1, nonce: 0xA, seq: 2 }.encode();
    let good = unknown;
    unknown[0] = 9;
    for (header, value, part) in [(unknown, "{}", "header"), (good, "{\"new\":1}", "value")] {
        let mut core = core();
        let mut owner = owner(&mut core, 0xA).unwrap();
        land(&mut core, &mut owner, 1);
        let before = end(&core);
        core.append_foreign(0, &header, value.into());
        for _ in 0..2 {
            let why = core.read(&before, 10).unwrap_err();
            assert!(matches!(why, ReadError::Unreadable { offset: 3, part: p, .. } if p == part), "{why}");
        }
        assert_eq!(counted(&core), [1], "what counts before it is handed out first");
    }
}

/// PLAT-1: a log without GENESIS says nothing.
#[test]
fn a_shard_without_genesis_is_refused() {
    let mut core = core();
    core.truncate(0, 0);
    core.append_foreign(0, b"", "".into());
    let start = Cursor::beginning(core.genesis(), 0);
    assert!(matches!(core.read(&start, 10), Err(ReadError::NoGenesis { shard: 0 })));
}

/// PLAT-1: after each fault of an append, claim and read decide what became of it.
#[tokio::test]
async fn unproven_is_decided_by_claim_and_read() {
    for (fault, there) in [(Fault::Lose, false), (Fault::LoseReport, true), (Fault::Delay, false)] {
        let (log, faults) = Log::memory_with_faults(MemoryOptions::default());
        let mut first = claim(&log, 0).await.ownership;
        append(&log, &mut first, [1]).await;
        faults.next_append(fault);
        let unproven = record(&mut first, 2);
        assert!(log.append(0, vec![unproven]).await.is_err());
        assert!(first.report(2, None).is_err());
        let mut second = claim(&log, 0).await.ownership;
        faults.land_delayed();
        assert_eq!(commits(&log, 0).await.contains(&2), there, "{fault:?}");
        let lands = record(&mut second, 3);
        let offset = log.append(0, vec![lands]).await.unwrap()[0];
        assert_eq!(second.report(1, Some(offset)).is_ok(), fault != Fault::Delay);
        assert!(commits(&log, 0).await.contains(&3), "its sequence is the next all the same");
    }
}

/// PLAT-1: a batch that landed twice counts once.
#[tokio::test]
async fn a_doubled_batch_counts_once() {
    let (log, faults) = Log::memory_with_faults(MemoryOptions::default());
    let mut owner = claim(&log, 0).await.ownership;
    faults.next_append(Fault::Duplicate);
    let doubled = record(&mut owner, 1);
    let offset = log.append(0, vec![doubled]).await.unwrap()[0];
    assert!(owner.report(1, Some(offset)).is_err(), "the report of the second landing proves nothing");
    assert_eq!(commits(&log, 0).await, [1]);
    let stood = cursor(&log, 0).await;
    faults.with_core(|core| core.truncate(0, 2));
    assert!(matches!(log.reader(Start::Cursor(stood)).await, Err(ReadError::Truncated { .. })));
}
