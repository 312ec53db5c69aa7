//! Refusals leave only behind a later proven record of the same epoch.

use schemas::task::StartTask;

use super::{Bench, claim, create, stream, submission};
use crate::aggregates::Refusal;
use crate::command::{Answer, Expected};

fn premature(bench: &mut Bench) -> u64 {
    bench.ask(submission(&stream("none"), "s-1", StartTask { fencing_token: 1 }))
}

/// PLAT-6
#[test]
fn a_refusal_waits_for_a_barrier_when_anyone_may_claim() {
    let mut bench = Bench::new(false);
    let request = premature(&mut bench);
    assert!(bench.answers.is_empty() && bench.batch.is_none(), "nothing leaves before a flush");
    bench.flush();
    assert_eq!(bench.batches, [1], "a barrier");
    assert!(bench.answers.is_empty());
    bench.land();
    assert_eq!(bench.answers[&request], Answer::Refused(Refusal::NotFound { aggregate: "task" }));
    assert!(bench.commits().is_empty());
}

#[test]
fn barriers_are_at_most_twenty_a_second() {
    let mut bench = Bench::new(false);
    let begun = bench.now;
    for _ in 0..40 {
        premature(&mut bench);
        bench.settle();
    }
    assert_eq!(bench.shard.take_counts().barriers, 40);
    assert!((bench.now - begun).num_milliseconds() >= 39 * 50, "{}", bench.now - begun);
}

#[test]
fn a_refusal_leaves_at_once_behind_a_lock() {
    let mut bench = Bench::new(true);
    let request = premature(&mut bench);
    assert!(matches!(bench.answers[&request], Answer::Refused(_)));
    // What it was decided on must be proven all the same.
    bench.ask(create("a"));
    let again = bench.ask({
        let mut again = create("a");
        (again.command_id, again.home) = ("other".into(), stream("a"));
        again
    });
    assert!(!bench.answers.contains_key(&again));
    bench.settle();
    assert_eq!(bench.answers[&again], Answer::Refused(Refusal::AlreadyExists { aggregate: "task" }));
}

/// A refusal on speculative state whose batch is lost is thrown away and decided again.
#[test]
fn a_refusal_of_a_lost_batch_is_decided_again() {
    let mut bench = Bench::new(false);
    let created = bench.ask(create("a"));
    let mut update = submission(&stream("a"), "u-1", schemas::task::UpdateTask::default());
    update.expected = Some(Expected::IfMatch(9));
    let refused = bench.ask(update);
    bench.flush();
    bench.steal();
    bench.land();
    assert!(bench.answers.is_empty(), "its record is void: nothing was said");
    bench.settle();
    assert!(matches!(&bench.answers[&created], Answer::Accepted(a) if !a.replayed));
    let precondition = Refusal::PreconditionFailed { expected: 9, actual: 2 };
    assert_eq!(bench.answers[&refused], Answer::Refused(precondition));
    assert_eq!(bench.commits().len(), 1);
}

/// A stale owner that still answers says nothing false: its refusal waits for ever, then is decided anew.
#[test]
fn a_stale_owner_refuses_nothing() {
    let mut bench = Bench::new(false);
    bench.done(create("a"));
    bench.steal();
    let request = bench.ask(claim("k", 1));
    let refused = premature(&mut bench);
    bench.flush();
    assert!(!bench.answers.contains_key(&request) && !bench.answers.contains_key(&refused));
    bench.settle();
    assert!(matches!(&bench.answers[&request], Answer::Accepted(a) if a.leases.len() == 1));
}

/// TASK-11: an expected version is honoured, for a mismatch in the header and in the body.
#[test]
fn expected_versions_are_compared_with_the_stream() {
    let mut bench = Bench::new(true);
    bench.done(create("a"));
    let with = |key: &str, expected| {
        let mut update = submission(&stream("a"), key, schemas::task::CancelTask { reason: None });
        update.expected = Some(expected);
        update
    };
    let header = bench.answer(with("1", Expected::IfMatch(1)));
    assert_eq!(header, Answer::Refused(Refusal::PreconditionFailed { expected: 1, actual: 2 }));
    let body = bench.answer(with("2", Expected::Body(1)));
    assert_eq!(body, Answer::Refused(Refusal::VersionConflict { expected: 1, actual: 2 }));
    let absent = bench.answer(with("3", Expected::Absent));
    assert_eq!(absent, Answer::Refused(Refusal::PreconditionFailed { expected: 0, actual: 2 }));
    assert_eq!(bench.done(with("4", Expected::IfMatch(2))).version, 3);
}
