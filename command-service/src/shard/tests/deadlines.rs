//! What the shard does by itself when time has come.

use chrono::TimeDelta;
use schemas::task::{CompleteTask, FailTask, StartTask};

use super::{Bench, create, create_with, stream, submission};
use crate::aggregates::Refusal;
use crate::command::Answer;

/// TASK-12: the worker is gone, its lease runs out, the task waits its back-off and is leased again;
/// what the lost worker still says is refused. No time passes but the shard's.
#[test]
fn the_task_of_a_lost_worker_is_tried_again() {
    let mut bench = Bench::new(true);
    bench.done(create("a"));
    let lease = bench.lease("k-1");
    bench.done(submission(&lease.task, "s-1", StartTask { fencing_token: lease.fencing_token }));
    assert_eq!(bench.wake, Some(lease.lease_expires_at));
    bench.pass(TimeDelta::milliseconds(29_999));
    assert!(bench.batch.is_none(), "not before its time");
    bench.pass(TimeDelta::milliseconds(1));
    bench.settle();
    let expired = bench.commits().pop().unwrap();
    assert_eq!(expired.events[0].kind, "gesta.work.task.lease_expired.v1");
    assert_eq!((expired.actor.kind.as_str(), expired.correlation.as_str()), ("system", "chain-s-1"));
    assert_eq!(expired.causation, lease.task.event_id(4).to_string());
    bench.pass(TimeDelta::seconds(60));
    bench.settle();
    let second = bench.lease("k-2");
    assert_eq!((second.task.clone(), second.attempt), (lease.task.clone(), 2));
    let (fencing_token, result) = (lease.fencing_token, serde_json::Map::new());
    let late = bench.answer(submission(&lease.task, "c-1", CompleteTask { fencing_token, result }));
    assert!(matches!(late, Answer::Refused(Refusal::StaleToken { .. })));
}

/// The command of a deadline has an id of (stream, version): issued again after a lost batch, or by
/// the next owner, it takes effect once.
#[test]
fn a_deadline_takes_effect_once_however_often_it_is_issued() {
    let mut bench = Bench::new(false);
    bench.done(create("a"));
    bench.lease("k-1");
    bench.pass(TimeDelta::seconds(31));
    assert!(bench.batch.is_some());
    bench.fail(false);
    bench.settle();
    let mut heir = Bench::on(bench.core.clone(), false);
    heir.now = bench.now;
    heir.settle();
    let due: Vec<_> = heir.commits().iter().map(|commit| commit.command.id.clone()).collect();
    assert_eq!(due.iter().filter(|id| *id == "gesta:due:3").count(), 1, "{due:?}");
}

/// TASK-13: a task that shall run later is queued at that instant, also by another owner.
#[test]
fn a_delayed_task_is_queued_at_its_time_after_a_restart() {
    let mut bench = Bench::new(true);
    let run_at = bench.now + TimeDelta::hours(1);
    bench.done(create_with("a", serde_json::json!({ "runAt": run_at })));
    let mut heir = Bench::on(bench.core.clone(), true);
    assert!(heir.done(super::claim("early", 1)).leases.is_empty());
    heir.now = run_at;
    heir.settle();
    assert_eq!(heir.lease("k").task, stream("a"));
}

/// A thousand deadlines of one instant are issued in bounded steps, all of them.
#[test]
fn a_thousand_deadlines_of_one_instant_are_all_issued() {
    let mut bench = Bench::new(true);
    for n in 0..1_000 {
        bench.ask(create(&format!("t-{n}")));
    }
    bench.settle();
    for n in 0..10 {
        bench.done(super::claim(&format!("k-{n}"), 100));
    }
    bench.pass(TimeDelta::seconds(31));
    while bench.batch.is_some() {
        bench.land();
    }
    assert_eq!(bench.shard.take_counts().due, 1_000);
    assert!(bench.batches.iter().rev().take(4).all(|records| *records <= 256), "{:?}", bench.batches);
}

/// TASK-13: attempts are spent, then the task fails for good.
#[test]
fn attempts_are_spent_with_growing_waits() {
    let mut bench = Bench::new(true);
    bench.done(create("a"));
    for attempt in 1..=3 {
        let lease = bench.lease(&format!("k-{attempt}"));
        assert_eq!(lease.attempt, attempt);
        let fencing_token = lease.fencing_token;
        bench.done(submission(&lease.task, &format!("s-{attempt}"), StartTask { fencing_token }));
        let (reason, error) = ("test".to_owned(), None);
        let fail = FailTask { fencing_token, retriable: true, reason, error };
        bench.done(submission(&lease.task, &format!("f-{attempt}"), fail));
        bench.pass(TimeDelta::seconds(61));
        bench.settle();
    }
    assert!(bench.done(super::claim("k-4", 1)).leases.is_empty());
    assert_eq!(bench.shard.streams().current(&stream("a")).unwrap().state.stage(), "failed");
}
