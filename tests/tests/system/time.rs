//! What comes by itself: deadlines are instants in the log, kept by the shard.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::support::shared::api;
use crate::support::tasks::verbs;

fn in_ms(ms: i64) -> String {
    (Utc::now() + TimeDelta::milliseconds(ms)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// TASK-16, PLAT-43: a task that shall run later is queued at that instant, not before.
#[tokio::test]
async fn a_delayed_task_is_queued_when_its_time_comes() {
    let api = api().await;
    let run_at = in_ms(1_500);
    let created = api.create("delayed", json!({ "runAt": run_at })).await;
    let seen = api.task(&created.position(), &created.id(), "state runAt").await;
    assert_eq!(seen["state"], "PENDING");
    let held = api.claim("w", "delayed").await;
    assert_eq!(held.id, created.id());
    let events = api.log_of(&held.id).await;
    assert_eq!(verbs(&events), "created queued assigned");
    assert!(events[1].time >= run_at.parse::<DateTime<Utc>>().unwrap(), "{events:#?}");
    assert!(events[1].by_the_system());
}

/// TASK-24, PLAT-43: a task that has not ended at its deadline has failed at stage timeout, and its worker's token is over.
#[tokio::test]
async fn a_task_times_out_at_its_deadline() {
    let api = api().await;
    let held = api.running("deadline", json!({ "deadline": in_ms(2_000) })).await;
    api.until(&held.id, "FAILED").await;
    let seen = api.task(&held.position, &held.id, "status failure { stage } attempts { outcome }").await;
    let attempts = json!([{ "outcome": "timed_out" }]);
    assert_eq!(seen, json!({ "status": "FAILED", "failure": { "stage": "timeout" }, "attempts": attempts }));
    let late = json!({ "fencingToken": held.token });
    api.refused(&format!("tasks/{}/complete", held.id), late, 409, "stale_fencing_token").await;
    let past = api
        .refused(
            "tasks",
            crate::support::tasks::task("deadline", json!({ "deadline": in_ms(-1) })),
            409,
            "guard_refused",
        )
        .await;
    assert_eq!(past.text("/errors/0/pointer"), "/deadline");
}

/// TASK-10, TASK-12, PLAT-43: the lease of a worker that is gone runs out: begun work waits for its next attempt.
#[tokio::test]
async fn the_task_of_a_lost_worker_goes_to_another() {
    let api = api().await;
    let policy = json!({ "policy": { "leaseMs": 1_000, "maxAttempts": 3, "backoffBaseMs": 0 } });
    let begun = api.running("lost-begun", policy.clone()).await;
    api.create("lost-idle", policy).await;
    let idle = api.claim("w-1", "lost-idle").await;
    let (second, third) = tokio::join!(api.claim("w-2", "lost-begun"), api.claim("w-2", "lost-idle"));
    assert_eq!((&second.id, second.token), (&begun.id, begun.token + 1));
    assert_eq!((&third.id, third.token), (&idle.id, idle.token + 1));
    let events = api.log_of(&begun.id).await;
    assert_eq!(
        verbs(&events),
        "created queued assigned started lease_expired retry_scheduled queued assigned"
    );
    let seen = api.task(&second.position, &begun.id, "attempt attempts { outcome } worker").await;
    let attempts = json!([{ "outcome": null }, { "outcome": "lease_expired" }]);
    assert_eq!(seen, json!({ "attempt": 2, "attempts": attempts, "worker": "w-2" }));
    let events = api.log_of(&idle.id).await;
    assert_eq!(verbs(&events), "created queued assigned lease_expired queued assigned");
    let seen = api.task(&third.position, &idle.id, "attempt").await;
    assert_eq!(seen, json!({ "attempt": 1 }), "nothing was begun, so no attempt is spent");
}

/// TASK-10: a renewal is answered at once while half of the lease is left, and written when it is not.
#[tokio::test]
async fn a_lease_is_renewed() {
    let api = api().await;
    let held = api.running("renew", json!({ "policy": { "leaseMs": 1_500 } })).await;
    let early = api.hold(&held, "renew", json!({})).await;
    let first = early.text("/runsUntil");
    let renewed = crate::support::eventually::eventually(
        "a renewal that is written",
        async || api.hold(&held, "renew", json!({})).await,
        |answer| answer.verbs() == "lease_renewed",
    );
    let renewed = renewed.await;
    assert!(renewed.text("/runsUntil") > first, "{renewed:#?}");
    let seen = api.task(&renewed.position(), &held.id, "state attempts { renewals }").await;
    assert_eq!(seen["state"], "RUNNING");
    assert!(seen["attempts"][0]["renewals"].as_i64() >= Some(1), "{seen}");
}

/// TASK-7, PLAT-43: a worker that does not say that it stopped has its grace period.
#[tokio::test]
async fn the_grace_of_a_cancelled_task_ends() {
    let api = api().await;
    let held = api.running("grace", json!({ "policy": { "graceMs": 300 } })).await;
    api.act(&held.id, "cancel", json!({})).await;
    api.until(&held.id, "CANCELLED").await;
    assert!(verbs(&api.log_of(&held.id).await).ends_with("cancel_requested cancelled"));
}

/// TASK-13, M-11: the wait between attempts grows from its base, and the task is back when it is over.
#[tokio::test]
async fn a_retry_waits() {
    let api = api().await;
    let policy = json!({ "policy": { "maxAttempts": 3, "backoff": "exponential", "backoffBaseMs": 400 } });
    let held = api.running("backoff", policy).await;
    let failed = api.hold(&held, "fail", json!({ "reason": "io" })).await;
    assert_eq!(api.task(&failed.position(), &held.id, "state").await, json!({ "state": "RETRY_WAIT" }));
    let again = api.claim("w-2", "backoff").await;
    api.hold(&again, "start", json!({})).await;
    api.hold(&again, "fail", json!({ "reason": "io" })).await;
    let events = api.log_of(&held.id).await;
    let waits: Vec<i64> = events
        .iter()
        .filter(|event| event.verb() == "retry_scheduled")
        .map(|event| {
            let next: DateTime<Utc> = event.data["next_run_at"].as_str().unwrap().parse().unwrap();
            (next - event.time).num_milliseconds()
        })
        .collect();
    assert!((400..=520).contains(&waits[0]) && (800..=920).contains(&waits[1]), "{waits:?}");
}

/// AGENT-6, PLAT-43, M-4: an agent that waits for input fails when it does not come.
#[tokio::test]
async fn awaited_input_times_out() {
    let api = api().await;
    let id = api.done("agents", json!({ "model": "none" })).await.id();
    for (verb, body) in [
        ("worktree-created", json!({ "path": "/w" })),
        ("session-started", json!({})),
        ("await-input", json!({ "timeoutMs": 200 })),
    ] {
        api.done(&format!("agents/{id}/{verb}"), body).await;
    }
    let look = async || {
        let query = "query($id: ID!) { agent(id: $id) { state } }";
        api.ask(None, query, json!({ "id": id })).await.body["data"]["agent"]["state"].take()
    };
    crate::support::eventually::eventually("failed", look, |state| *state == "FAILED").await;
}
