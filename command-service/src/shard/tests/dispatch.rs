//! Who gets which task.

use std::collections::HashMap;

use chrono::TimeDelta;
use schemas::ids::Stream;
use schemas::task::CompleteTask;

use super::{Bench, claim, create, create_with, submission};
use crate::command::Answer;
use crate::shard::receipts::{CommandKey, body_number};

fn titles(bench: &mut Bench, key: &str, max: u32) -> Vec<String> {
    bench.done(claim(key, max)).leases.into_iter().map(|lease| lease.title).collect()
}

fn prioritised(key: &str, priority: &str) -> crate::command::Submission {
    create_with(key, serde_json::json!({ "priority": priority }))
}

/// TASK-16: the most urgent first, in the order of arrival inside a priority.
#[test]
fn urgent_tasks_come_first_and_equal_ones_in_order() {
    let mut bench = Bench::new(true);
    let created =
        [("low", "low"), ("n-1", "normal"), ("crit", "critical"), ("n-2", "normal"), ("high", "high")];
    for (key, priority) in created {
        bench.ask(prioritised(key, priority));
    }
    bench.settle();
    assert_eq!(titles(&mut bench, "k-1", 2), ["crit", "high"]);
    assert_eq!(titles(&mut bench, "k-2", 9), ["n-1", "n-2", "low"]);
}

/// TASK-16: waiting raises a task by one priority per ageing time, so that none starves.
#[test]
fn a_task_that_waits_long_enough_passes_urgent_ones() {
    let mut bench = Bench::new(true);
    bench.done(prioritised("old-low", "low"));
    bench.pass(TimeDelta::seconds(119));
    bench.done(prioritised("high-1", "high"));
    bench.pass(TimeDelta::seconds(2));
    bench.done(prioritised("high-2", "high"));
    // Low and 121 s of waiting weigh more than high and nothing, and less than high and 2 s.
    assert_eq!(titles(&mut bench, "k", 3), ["high-1", "old-low", "high-2"]);
}

/// TASK-16: a stream of urgent tasks does not starve a low one.
#[test]
fn a_low_task_is_served_under_a_flood_of_critical_ones() {
    let mut bench = Bench::new(true);
    bench.done(prioritised("low", "low"));
    let critical = serde_json::json!({ "priority": "critical", "policy": { "leaseMs": 86_400_000 } });
    for n in 0..60 {
        for key in [format!("c-{n}"), format!("d-{n}")] {
            bench.done(create_with(&key, critical.clone()));
        }
        bench.pass(TimeDelta::seconds(10));
        if titles(&mut bench, &format!("k-{n}"), 1) == ["low"] {
            assert!(n > 17, "before 180 s it weighs less than any critical one");
            return;
        }
    }
    panic!("the low task starved");
}

/// TASK-16: tasks of another ageing are compared by what they weigh now.
#[test]
fn ageings_are_compared_at_the_moment_of_the_claim() {
    let mut bench = Bench::new(true);
    let quick = serde_json::json!({ "priority": "low", "policy": { "ageingMs": 1_000 } });
    let never = serde_json::json!({ "priority": "high", "policy": { "ageingMs": 0 } });
    bench.done(create_with("never", never));
    bench.done(create_with("quick", quick));
    assert_eq!(titles(&mut bench, "k-0", 1), ["never"]);
    let never = serde_json::json!({ "priority": "high", "policy": { "ageingMs": 0 } });
    bench.done(create_with("never-2", never));
    bench.pass(TimeDelta::seconds(3));
    assert_eq!(titles(&mut bench, "k-1", 2), ["quick", "never-2"]);
}

/// TASK-10, TASK-11: 100 workers on 10,000 tasks, lost batches and repeated claims: every task is
/// leased once and done once.
#[test]
fn a_hundred_workers_share_ten_thousand_tasks_without_a_double_lease() {
    const TASKS: usize = 10_000;
    let mut bench = Bench::new(true);
    for n in 0..TASKS {
        bench.ask(create(&format!("t-{n}")));
        if n % 1_000 == 999 {
            bench.settle();
        }
    }
    let mut holders: HashMap<Stream, usize> = HashMap::new();
    for round in 0.. {
        let keys: Vec<_> = (0..100).map(|worker| format!("k-{worker}-{round}")).collect();
        let mut requests: Vec<_> = keys.iter().map(|key| bench.ask(claim(key, 7))).collect();
        bench.flush();
        requests.extend(keys.iter().step_by(3).map(|key| bench.ask(claim(key, 7))));
        if round % 5 == 2 && bench.batch.is_some() {
            bench.fail(false);
        }
        bench.settle();
        let mut granted = 0;
        for (worker, request) in requests.iter().enumerate() {
            let Some(Answer::Accepted(accepted)) = bench.answers.remove(request) else { panic!("no answer") };
            granted += accepted.leases.len();
            for lease in accepted.leases {
                let holder = holders.insert(lease.task.clone(), worker % 100).unwrap_or(worker % 100);
                let own = holder == worker || worker >= 100;
                assert!(own, "{} is held by {holder} and {worker}", lease.task);
                if worker < 100 {
                    let start = schemas::task::StartTask { fencing_token: lease.fencing_token };
                    bench.ask(submission(&lease.task, "start", start));
                    let (fencing_token, result) = (lease.fencing_token, serde_json::Map::new());
                    bench.ask(submission(&lease.task, "done", CompleteTask { fencing_token, result }));
                }
            }
        }
        bench.settle();
        if granted == 0 {
            break;
        }
    }
    let counts = bench.shard.take_counts();
    assert_eq!((holders.len(), counts.leases, counts.claim_conflicts), (TASKS, TASKS as u64, 0));
    let done = bench.answers.values().filter(|answer| matches!(answer, Answer::Accepted(_))).count();
    assert_eq!(done, TASKS * 3, "created, started, completed");
}

#[test]
fn keys_of_commands_depend_on_the_stream() {
    let (one, other): (Stream, Stream) = ("a/task/1".parse().unwrap(), "a/task/2".parse().unwrap());
    assert_ne!(CommandKey::of(&one, "k"), CommandKey::of(&other, "k"));
    assert_eq!(body_number("000000000000000000000000000000ff"), 255);
    assert_ne!(body_number("ff"), 255);
}
