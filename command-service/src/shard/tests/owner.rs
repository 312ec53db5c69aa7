//! Batches, broken proofs, recovery, poison.

use schemas::problem::Code;
use schemas::task::CancelTask;

use super::{Bench, create, stream, submission};
use crate::command::Answer;
use crate::shard::{Input, Status};

/// What arrives while a batch is in flight forms the next one.
#[test]
fn one_batch_is_in_flight_and_the_rest_forms_the_next() {
    let mut bench = Bench::new(true);
    bench.ask(create("a"));
    bench.flush();
    for key in ["b", "c", "d"] {
        bench.ask(create(key));
        bench.flush();
    }
    assert_eq!(bench.batches, [1]);
    bench.land();
    bench.land();
    assert_eq!(bench.batches, [1, 3]);
    assert_eq!(bench.answers.len(), 4);
}

/// PLAT-6: what landed before the break counts and is answered from the log; the rest is done again.
#[test]
fn after_a_break_every_command_is_looked_up_and_else_done_again() {
    let mut bench = Bench::new(false);
    let requests: Vec<_> = ["a", "b", "c"].map(|key| bench.ask(create(key))).into();
    bench.flush();
    let batch = bench.batch.take().unwrap();
    // Two of three land, and the report of the batch is lost.
    bench.core.land_some(batch, &[0, 1]);
    let lost = crate::shard::AppendFailure { permanent: false, detail: "timeout".into() };
    bench.input(Input::Appended(Err(lost)));
    bench.settle();
    let replayed = |request: &u64| match &bench.answers[request] {
        Answer::Accepted(accepted) => accepted.replayed,
        other => panic!("{other:?}"),
    };
    assert_eq!(requests.iter().map(replayed).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(bench.commits().len(), 3);
}

/// The poison record goes alone, fails alone, and everything else succeeds.
#[test]
fn after_two_breaks_commands_go_one_by_one_and_poison_fails_alone() {
    let mut bench = Bench::new(false);
    let good: Vec<_> = ["a", "b"].map(|key| bench.ask(create(key))).into();
    let poison = bench.ask(create("poison"));
    let last = bench.ask(create("c"));
    bench.flush();
    bench.fail(true);
    bench.fail(true);
    assert_eq!(bench.batches, [4, 4, 1]);
    bench.land();
    bench.land();
    bench.fail(true);
    assert!(matches!(&bench.answers[&poison], Answer::Failed { code: Code::CommitTooLarge, .. }));
    bench.settle();
    for request in good.iter().chain([&last]) {
        assert!(matches!(&bench.answers[request], Answer::Accepted(_)), "{request}");
    }
    assert_eq!(bench.commits().len(), 3);
    bench.batches.clear();
    for key in ["d", "e"] {
        bench.ask(create(key));
    }
    bench.settle();
    assert_eq!(bench.batches, [2], "batches again");
}

/// A log that lost records stops the shard by name; nothing claims over it.
#[test]
fn a_report_below_the_expected_offset_stops_the_shard() {
    let mut bench = Bench::new(false);
    bench.done(create("a"));
    let request = bench.ask(create("b"));
    bench.flush();
    bench.batch.take();
    bench.input(Input::Appended(Ok(vec![0])));
    assert!(matches!(bench.shard.status(), Status::Stopped(place) if place.contains("lost records")));
    assert_eq!(bench.answers[&request], Answer::Unknown, "it was sent: nobody knows");
    let next = bench.ask(create("c"));
    assert!(matches!(&bench.answers[&next], Answer::Failed { code: Code::ShardStopped, .. }));
}

/// Shutting down: no command is taken, what is under way is answered.
#[test]
fn a_revoked_shard_ends_what_it_began() {
    let mut bench = Bench::new(false);
    let first = bench.ask(create("a"));
    bench.flush();
    let second = bench.ask(submission(&stream("a"), "x", CancelTask { reason: None }));
    bench.input(Input::Revoke);
    let third = bench.ask(create("b"));
    assert!(matches!(&bench.answers[&third], Answer::Failed { code: Code::NotReady, .. }));
    bench.settle();
    for request in [first, second] {
        assert!(matches!(&bench.answers[&request], Answer::Accepted(_)));
    }
}

/// PLAT-6: many writers of few streams, lost batches in between: no update is lost, none is doubled.
#[test]
fn a_storm_of_writers_loses_no_update() {
    let mut bench = Bench::new(false);
    let mut requests = Vec::new();
    for n in 0..400_u32 {
        let key = format!("u-{n}");
        let home = stream(&format!("t-{}", n % 4));
        if n < 4 {
            requests.push(bench.ask(create(&format!("t-{n}"))));
        } else {
            let title = Some(key.as_str().into());
            let update = schemas::task::UpdateTask { title, ..Default::default() };
            requests.push(bench.ask(submission(&home, &key, update)));
        }
        if n % 7 == 0 {
            bench.flush();
        }
        match n % 29 {
            11 if bench.batch.is_some() => bench.fail(false),
            13 if bench.batch.is_some() => bench.land(),
            23 => bench.steal(),
            _ => {}
        }
    }
    bench.settle();
    let versions: Vec<u64> = requests
        .iter()
        .map(|request| match &bench.answers[request] {
            Answer::Accepted(accepted) => accepted.version,
            other => panic!("{other:?}"),
        })
        .collect();
    for task in 0..4 {
        let mut mine: Vec<u64> = versions.iter().copied().skip(task).step_by(4).collect();
        mine.sort_unstable();
        assert_eq!(mine, (2..=101).collect::<Vec<u64>>());
    }
    assert_eq!(bench.commits().len(), 400);
    let fresh = Bench::on(bench.core.clone(), true);
    assert_eq!(fresh.shard.difference(&bench.shard), None);
}

/// PLAT-29: a shard that another process owns already is let go at once: what was sent is unknown, the rest did not
/// happen, and a late report changes nothing.
#[test]
fn a_lost_shard_forgets_what_is_under_way() {
    let mut bench = Bench::new(false);
    let sent = bench.ask(create("a"));
    bench.flush();
    let waits = bench.ask(create("b"));
    bench.input(Input::Lost);
    assert_eq!(bench.answers[&sent], Answer::Unknown);
    assert!(matches!(&bench.answers[&waits], Answer::Failed { code: Code::NotReady, .. }));
    bench.input(Input::Appended(Ok(vec![2])));
    assert_eq!(bench.shard.status(), Status::Following);
    let later = bench.ask(create("c"));
    assert!(
        matches!(&bench.answers[&later], Answer::Failed { code: Code::NotReady, .. }),
        "it decides nothing"
    );
}

/// PLAT-29: an owner that hears of another's claim while it has nothing to write claims again before it answers.
#[test]
fn a_fenced_owner_claims_again() {
    let mut bench = Bench::new(false);
    let epoch = bench.shard.cursor().epoch;
    bench.input(Input::Fenced);
    assert_eq!((bench.shard.status(), bench.shard.cursor().epoch), (Status::Owner, epoch + 1));
}
