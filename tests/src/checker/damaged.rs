//! A checker that never failed is not yet a checker: a sound history, and the ways to damage it.

use serde_json::{Value, json};

use super::{check, kinds};
use crate::history::{Operation, Outcome};
use crate::published::Published;

fn event(n: u64, key: &str, subject: &str, version: u64, verb: &str, data: Value) -> Published {
    let line = json!({
        "id": format!("{subject}#{version}"), "type": format!("gesta.work.task.{verb}.v1"), "subject": subject,
        "aggregateversion": version, "position": format!("1.0.{n}.0"), "idempotencykey": key,
        "commandtype": "task.some", "tenantid": "default", "authid": "local", "correlationid": key, "causationid": key,
        "time": format!("2026-01-01T00:00:{n:02}.000Z"), "authtype": "user", "data": data,
    });
    serde_json::from_value(line).expect("the form of the log")
}

fn operation(key: &str, subject: &str, start: u64, outcome: Outcome) -> Operation {
    Operation {
        key: key.into(),
        subject: subject.into(),
        body: format!("body of {key}"),
        expected: None,
        start,
        end: start + 5,
        end_wall_ms: 0,
        outcome,
    }
}

fn accepted(key: &str, start: u64, ids: &[&str]) -> Operation {
    operation(key, "task/a", start, Outcome::Accepted(ids.iter().map(|id| (*id).to_owned()).collect()))
}

/// Create, lease, begin, give back, lease again; a late worker with the old token; wrong version; a retry.
fn sound() -> (Vec<Operation>, Vec<Published>) {
    let lease =
        |token: u32| json!({ "fencing_token": token, "lease_expires_at": "2026-01-01T01:00:00.000Z" });
    let log = vec![
        event(1, "create", "task/a", 1, "created", json!({})),
        event(2, "lease-1", "task/a", 2, "assigned", lease(1)),
        event(3, "begin", "task/a", 3, "started", json!({ "fencing_token": 1 })),
        event(4, "release", "task/a", 4, "released", json!({ "fencing_token": 1 })),
        event(5, "lease-2", "task/a", 5, "assigned", lease(2)),
    ];
    let mut begin = accepted("begin", 20, &["task/a#3"]);
    begin.expected = Some(2);
    let mut wrong = operation("update", "task/a", 60, Outcome::WrongVersion { actual: 5 });
    wrong.expected = Some(3);
    let mut reuse = operation("create", "task/a", 80, Outcome::KeyReused);
    reuse.body = "another body".into();
    let operations = vec![
        operation("create", "task/a", 0, Outcome::Unknown),
        accepted("create", 6, &["task/a#1"]),
        accepted("lease-1", 12, &["task/a#2"]),
        begin,
        accepted("release", 30, &["task/a#4"]),
        accepted("lease-2", 40, &["task/a#5"]),
        operation("late", "task/a", 50, Outcome::StaleToken { given: 1, current: 2 }),
        wrong,
        operation("refused", "task/a", 70, Outcome::Failed("transition_refused".into())),
        reuse,
    ];
    (operations, log)
}

#[test]
fn a_sound_history_is_acquitted() {
    let (operations, log) = sound();
    assert_eq!(check(&operations, &log), []);
}

type Damage = fn(&mut Vec<Operation>, &mut Vec<Published>);

const DAMAGES: [(&str, Damage, &str); 13] = [
    ("the last acknowledged event is gone", |_, log| drop(log.pop()), "lost"),
    (
        "a retry took effect again",
        |_, log| log.push(event(6, "begin", "task/a", 6, "started", json!({}))),
        "doubled",
    ),
    ("an event stands twice", |_, log| log.insert(1, log[0].clone()), "doubled"),
    ("a version is skipped", |_, log| log[4].version = 7, "gap"),
    ("two commits changed places", |_, log| log.swap(2, 3), "swapped"),
    ("the clock of the shard fell", |_, log| log[4].time = log[0].time, "time_fell"),
    (
        "a refused command is in the log",
        |_, log| {
            log.push(event(6, "refused", "task/a", 6, "updated", json!({})));
        },
        "failed_but_present",
    ),
    ("nobody sent it", |_, log| log.push(event(6, "nobody", "task/a", 6, "updated", json!({}))), "phantom"),
    (
        "two leases at once",
        |_, log| log[3] = event(4, "release", "task/a", 4, "progressed", json!({})),
        "two_leases",
    ),
    (
        "a retry got another answer",
        |operations, _| {
            operations.push(accepted("create", 90, &["task/a#2"]));
        },
        "changed_answer",
    ),
    (
        "an expected version was ignored",
        |operations, _| operations[3].expected = Some(1),
        "expectation_ignored",
    ),
    (
        "refused at a version long passed",
        |operations, _| {
            operations[7].outcome = Outcome::WrongVersion { actual: 4 };
        },
        "false_refusal",
    ),
    (
        "a running lease was called stale",
        |operations, _| {
            operations[6].outcome = Outcome::StaleToken { given: 2, current: 2 };
        },
        "false_refusal",
    ),
];

#[test]
fn every_damage_is_condemned_by_name() {
    for (what, damage, kind) in DAMAGES {
        let (mut operations, mut log) = sound();
        damage(&mut operations, &mut log);
        let found = check(&operations, &log);
        assert!(kinds(&found).contains(kind), "{what}: expected {kind}, found {found:?}");
    }
}

#[test]
fn a_refusal_ahead_of_its_reason_is_condemned() {
    let (mut operations, log) = sound();
    // Named before the command that wrote version 5 was sent.
    (operations[7].start, operations[7].end) = (31, 35);
    assert!(kinds(&check(&operations, &log)).contains("false_refusal"));
    let (mut operations, log) = sound();
    (operations[6].start, operations[6].end) = (31, 35);
    assert!(kinds(&check(&operations, &log)).contains("false_refusal"));
    let (mut operations, log) = sound();
    operations[9].body = "body of create".into();
    assert!(kinds(&check(&operations, &log)).contains("false_refusal"));
}
