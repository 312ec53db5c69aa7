//! A command id takes effect once, however often and whenever it comes.

use schemas::problem::Code;
use schemas::task::{CancelTask, RenewLease, StartTask};

use super::{Bench, claim, create, stream, submission};
use crate::aggregates::Refusal;
use crate::command::Answer;
use crate::shard::limits;

/// PLAT-11: the same key a hundred times at once is one effect, and every one gets the same answer.
#[test]
fn a_hundred_repeats_join_one_effect() {
    let mut bench = Bench::new(false);
    let requests: Vec<_> = (0..50).map(|_| bench.ask(create("a"))).collect();
    bench.flush();
    let late: Vec<_> = (0..50).map(|_| bench.ask(create("a"))).collect();
    bench.settle();
    let answer = |request: &u64| match &bench.answers[request] {
        Answer::Accepted(accepted) => (accepted.events.clone(), accepted.position.clone()),
        other => panic!("{other:?}"),
    };
    let first = answer(&requests[0]);
    assert!(requests.iter().chain(&late).all(|request| answer(request) == first));
    assert_eq!(bench.commits().len(), 1);
    assert_eq!(bench.shard.take_counts().replayed, 99);
    assert_eq!(bench.shard.load(), (0, 0));
}

/// PLAT-11: another body under the same key is refused, in flight and afterwards.
#[test]
fn another_body_under_the_same_key_is_refused() {
    let mut bench = Bench::new(true);
    bench.ask(create("a"));
    let other = || submission(&stream("a"), "a", CancelTask { reason: None });
    let in_flight = bench.ask(other());
    assert!(!bench.answers.contains_key(&in_flight), "the first may still be lost");
    bench.settle();
    assert_eq!(bench.answers[&in_flight], Answer::Refused(Refusal::KeyReused));
    assert_eq!(bench.answer(other()), Answer::Refused(Refusal::KeyReused));
    assert_eq!(bench.commits().len(), 1);
}

/// A key has the scope of its home stream.
#[test]
fn one_key_sent_to_two_streams_is_two_commands() {
    let mut bench = Bench::new(true);
    bench.done(create("a"));
    bench.done(create("b"));
    for home in ["a", "b"] {
        assert!(!bench.done(submission(&stream(home), "same", CancelTask { reason: None })).replayed);
    }
}

/// TASK-10: a claim repeated after its answer was lost names what it leased, and leases no more.
#[test]
fn a_repeated_claim_leases_nothing_more() {
    let mut bench = Bench::new(true);
    for key in ["a", "b", "c"] {
        bench.done(create(key));
    }
    let first = bench.done(claim("k", 2));
    let mut again = bench.done(claim("k", 2));
    assert!(std::mem::take(&mut again.replayed));
    assert_eq!(again, first);
    assert_eq!(bench.shard.streams().dispatch.waiting(&again.stream), 1);
    let mut restarted = Bench::on(bench.core.clone(), true);
    let mut restarted = restarted.done(claim("k", 2));
    assert!(std::mem::take(&mut restarted.replayed));
    assert_eq!(restarted, first);
}

/// M-8: a stale token that was issued is refused and recorded once; its command's stored answer is
/// the refusal.
#[test]
fn a_stale_token_is_recorded_once_and_its_answer_is_stored() {
    let mut bench = Bench::new(false);
    bench.done(create("a"));
    let lease = bench.lease("k-1");
    let release = schemas::task::ReleaseTask { fencing_token: lease.fencing_token, reason: None };
    bench.done(submission(&lease.task, "r", release));
    let second = bench.lease("k-2");
    assert!(second.fencing_token > lease.fencing_token);
    let (given, current) = (lease.fencing_token, second.fencing_token);
    let stale = Answer::Refused(Refusal::StaleToken { given, current });
    let start = |key: &str| submission(&lease.task, key, StartTask { fencing_token: given });
    let before = bench.commits().len();
    for _ in 0..3 {
        assert_eq!(bench.answer(start("s-1")), stale);
    }
    assert_eq!(bench.answer(start("s-2")), stale);
    let recorded = bench.commits().split_off(before);
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_eq!(recorded[0].events[0].kind, "gesta.work.task.stale_token_refused.v1");
    let mut restarted = Bench::on(bench.core.clone(), true);
    assert_eq!(restarted.answer(start("s-1")), stale);
}

/// TASK-10: a renewal that still has time is answered at once and writes nothing.
#[test]
fn an_early_renewal_writes_nothing() {
    let mut bench = Bench::new(false);
    bench.done(create("a"));
    let lease = bench.lease("k-1");
    let before = bench.commits().len();
    let renew = RenewLease { fencing_token: lease.fencing_token };
    let request = bench.ask(submission(&lease.task, "r-1", renew.clone()));
    let Answer::Accepted(early) = &bench.answers[&request] else { panic!("not at once") };
    assert_eq!((early.runs_until, early.events.len()), (Some(lease.lease_expires_at), 0));
    bench.pass(chrono::TimeDelta::seconds(20));
    let late = bench.done(submission(&lease.task, "r-2", renew));
    assert_eq!(late.runs_until, Some(bench.now + chrono::TimeDelta::seconds(30)));
    assert_eq!(bench.commits().len(), before + 1);
    assert_eq!(bench.shard.take_counts().lease_renewals, 1);
}

/// TASK-7, M-8: a renewal, whether it writes or not, tells the worker that the task shall stop, and until when.
#[test]
fn a_renewal_tells_of_a_cancellation() {
    let mut bench = Bench::new(false);
    bench.done(create("a"));
    let lease = bench.lease("k-1");
    let renew = RenewLease { fencing_token: lease.fencing_token };
    bench.done(submission(&lease.task, "s", StartTask { fencing_token: lease.fencing_token }));
    assert_eq!(bench.done(submission(&lease.task, "r-1", renew.clone())).grace_until, None);
    let cancel = CancelTask { reason: None };
    assert_eq!(bench.done(submission(&lease.task, "c", cancel)).grace_until, None, "no renewal");
    let grace_until = Some(bench.now + chrono::TimeDelta::seconds(30));
    assert_eq!(bench.done(submission(&lease.task, "r-2", renew.clone())).grace_until, grace_until);
    bench.pass(chrono::TimeDelta::seconds(20));
    for replayed in [false, true] {
        let late = bench.done(submission(&lease.task, "r-3", renew.clone()));
        assert_eq!((late.grace_until, late.events.len(), late.replayed), (grace_until, 1, replayed));
    }
}

#[test]
fn a_dry_run_decides_and_writes_nothing() {
    let mut bench = Bench::new(true);
    let mut rehearsal = create("a");
    rehearsal.dry_run = true;
    let would = bench.done(rehearsal);
    assert_eq!((would.version, would.events.len()), (2, 2));
    assert!(bench.commits().is_empty());
    bench.done(create("a"));
    let mut refused = submission(&stream("a"), "s", StartTask { fencing_token: 7 });
    refused.dry_run = true;
    assert!(matches!(bench.answer(refused), Answer::Refused(_)));
    let mut pick = claim("k", 1);
    pick.dry_run = true;
    assert_eq!(bench.done(pick).events.len(), 1);
    assert_eq!(bench.commits().len(), 1);
}

/// The shard's own command ids cannot be taken by a client.
#[test]
fn reserved_keys_are_refused() {
    let mut bench = Bench::new(true);
    let own = submission(&stream("a"), "gesta:due:1", CancelTask { reason: None });
    assert!(matches!(bench.answer(own), Answer::Refused(Refusal::Guard { .. })));
}

/// PLAT-6: nothing waits without a bound.
#[test]
fn a_full_shard_turns_commands_away() {
    let mut bench = Bench::new(true);
    bench.ask(create("first"));
    bench.flush();
    for n in 1..limits::MAX_WAITING_COMMANDS {
        bench.ask(create(&format!("t-{n}")));
    }
    let request = bench.ask(create("one-too-many"));
    assert!(matches!(&bench.answers[&request], Answer::Failed { code: Code::Busy, .. }));
    bench.settle();
    assert_eq!(bench.commits().len(), limits::MAX_WAITING_COMMANDS);
    assert!(bench.batches.iter().all(|records| *records <= limits::MAX_BATCH_RECORDS));
}

/// A commit that the log cannot hold is refused before anything is queued.
#[test]
fn a_commit_too_large_fails_alone_and_at_once() {
    let mut bench = Bench::new(false);
    let text = "x".repeat(schemas::commit::MAX_COMMIT_BYTES);
    let request = bench.ask(super::create_with("big", serde_json::json!({ "payload": { "text": text } })));
    assert!(matches!(&bench.answers[&request], Answer::Failed { code: Code::CommitTooLarge, .. }));
    bench.done(create("small"));
    assert_eq!(bench.shard.load(), (0, 0));
}
