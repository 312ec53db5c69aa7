//! The other ends of a task: failure, dead letter, cancel, release, undoing; and tokens that are over.

use serde_json::{Value, json};

use crate::support::shared::api;
use crate::support::tasks::verbs;

/// Retried at once, twice in all.
fn two_attempts() -> Value {
    json!({ "policy": { "maxAttempts": 2, "backoffBaseMs": 0 } })
}

/// TASK-13, PLAT-13, M-8, M-11: retried, failed, set aside, redriven with fresh attempts, given up.
#[tokio::test]
async fn a_failing_task_is_retried_set_aside_redriven_and_given_up() {
    let api = api().await;
    let held = api.running("failing", two_attempts()).await;
    let failure = json!({ "reason": "io", "error": "disk gone" });
    assert_eq!(api.hold(&held, "fail", failure.clone()).await.verbs(), "retry_scheduled");
    api.until(&held.id, "QUEUED").await;
    let again = api.claim("w-2", "failing").await;
    assert_eq!((again.id.as_str(), again.token), (held.id.as_str(), 2));
    api.hold(&again, "start", json!({})).await;
    let failed = api.hold(&again, "fail", failure).await;
    let fields = "state status retryCount failure { stage reason error } attempts { attempt outcome worker }";
    assert_eq!(
        api.task(&failed.position(), &held.id, fields).await,
        json!({ "state": "FAILED", "status": "FAILED", "retryCount": 1,
                "failure": { "stage": "execute", "reason": "io", "error": "disk gone" },
                "attempts": [{ "attempt": 2, "outcome": "failed", "worker": "w-2" },
                             { "attempt": 1, "outcome": "failed", "worker": "w-1" }] })
    );
    api.refused(&format!("tasks/{}/redrive", held.id), json!({}), 409, "transition_refused").await;
    api.act(&held.id, "dead-letter", json!({})).await;
    let redriven = api.act(&held.id, "redrive", json!({ "reason": "a new disk" })).await;
    assert_eq!(redriven.verbs(), "redriven queued");
    let seen = api.task(&redriven.position(), &held.id, "state attempt redriveCount reason").await;
    assert_eq!(seen, json!({ "state": "QUEUED", "attempt": 0, "redriveCount": 1, "reason": "a new disk" }));
    let last = api.claim("w-3", "failing").await;
    api.hold(&last, "start", json!({})).await;
    api.hold(&last, "fail", json!({ "reason": "io", "retriable": false })).await;
    api.act(&held.id, "dead-letter", json!({})).await;
    let path = format!("tasks/{}/discard", held.id);
    let unreasoned = api.refused(&path, json!({}), 422, "schema_violation").await;
    assert_eq!(unreasoned.text("/errors/0/pointer"), "/reason");
    let discarded = api.act(&held.id, "discard", json!({ "reason": "obsolete" })).await;
    let seen = api.task(&discarded.position(), &held.id, "state status reason").await;
    assert_eq!(seen, json!({ "state": "DISCARDED", "status": "FAILED", "reason": "obsolete" }));
}

/// TASK-7, M-8: a running task is asked to stop, and its worker says that it did.
#[tokio::test]
async fn a_running_task_is_asked_to_stop() {
    let api = api().await;
    let held = api.running("stopping", json!({})).await;
    let asked = api.act(&held.id, "cancel", json!({ "reason": "no need" })).await;
    assert_eq!(asked.verbs(), "cancel_requested");
    assert_eq!(api.act(&held.id, "cancel", json!({})).await.verbs(), "", "asked already");
    let seen = api.task(&asked.position(), &held.id, "state cancelRequestedAt graceUntil").await;
    assert!(seen["state"] == "RUNNING" && seen["graceUntil"].is_string(), "{seen}");
    let stopped = api.hold(&held, "acknowledge-cancel", json!({})).await;
    let seen = api.task(&stopped.position(), &held.id, "state status reason").await;
    assert_eq!(seen, json!({ "state": "CANCELLED", "status": "CANCELLED", "reason": "no need" }));
}

/// TASK-10, M-8: what is given back unworked is queued again and has spent no attempt.
#[tokio::test]
async fn a_task_is_given_back() {
    let api = api().await;
    api.create("back", json!({})).await;
    let held = api.claim("w-1", "back").await;
    let released = api.hold(&held, "release", json!({ "reason": "not mine" })).await;
    assert_eq!(released.verbs(), "released queued");
    let seen = api.task(&released.position(), &held.id, "state worker attempts { outcome }").await;
    assert_eq!(seen, json!({ "state": "QUEUED", "worker": null, "attempts": [{ "outcome": "released" }] }));
    let body = json!({ "worker": "w-2", "queues": ["back"] });
    let again = api.done("tasks/claim", body).await;
    let lease = &again.body["tasks"][0];
    assert_eq!((&lease["attempt"], &lease["fencingToken"]), (&json!(1), &json!(2)));
}

/// TASK-10, M-8: a token that is over is refused in every verb, recorded once, and shows; one that was
/// never issued is told apart.
#[tokio::test]
async fn a_stale_token_is_refused_and_recorded_once() {
    let api = api().await;
    let held = api.running("stale", two_attempts()).await;
    api.hold(&held, "fail", json!({ "reason": "io" })).await;
    let current = api.claim("w-2", "stale").await;
    for verb in ["start", "progress", "renew", "release", "complete", "fail"] {
        let mut body = json!({ "fencingToken": held.token });
        if verb == "progress" {
            body["progress"] = json!(5);
        } else if verb == "fail" {
            body["reason"] = json!("late");
        }
        let path = format!("tasks/{}/{verb}", held.id);
        let refused = api.refused(&path, body, 409, "stale_fencing_token").await;
        assert_eq!(refused.body["currentToken"], current.token, "{verb}");
    }
    let path = format!("tasks/{}/start", held.id);
    api.refused(&path, json!({ "fencingToken": 77 }), 409, "lease_held_by_other").await;
    let started = api.hold(&current, "start", json!({})).await;
    let events = api.log_of(&held.id).await;
    assert_eq!(events.iter().filter(|event| event.verb() == "stale_token_refused").count(), 1);
    let seen = api.task(&started.position(), &held.id, "state worker staleTokens").await;
    assert_eq!(seen, json!({ "state": "RUNNING", "worker": "w-2", "staleTokens": 1 }));
}

/// TASK-30, M-8: what a task did is undone, or could not be; its public state says so.
#[tokio::test]
async fn what_a_task_did_is_undone() {
    let api = api().await;
    let undone = api.running("undo-1", json!({})).await;
    api.hold(&undone, "complete", json!({})).await;
    let begun = api.act(&undone.id, "compensate", json!({ "reason": "order withdrawn" })).await;
    let seen = api.task(&begun.position(), &undone.id, "state status").await;
    assert_eq!(seen, json!({ "state": "COMPENSATING", "status": "SUCCEEDED" }));
    let done = api.act(&undone.id, "complete-compensation", json!({})).await;
    let seen = api.task(&done.position(), &undone.id, "state status reason").await;
    assert_eq!(seen, json!({ "state": "COMPENSATED", "status": "SUCCEEDED", "reason": "order withdrawn" }));

    let stuck = api.running("undo-2", json!({})).await;
    api.hold(&stuck, "fail", json!({ "reason": "io", "retriable": false })).await;
    api.act(&stuck.id, "compensate", json!({})).await;
    let failed = api.act(&stuck.id, "fail-compensation", json!({ "error": "no way back" })).await;
    let seen = api.task(&failed.position(), &stuck.id, "state status failure { stage error }").await;
    let failure = json!({ "stage": "compensate", "error": "no way back" });
    assert_eq!(seen, json!({ "state": "COMPENSATION_FAILED", "status": "FAILED", "failure": failure }));
    assert!(verbs(&api.log_of(&stuck.id).await).ends_with("failed compensation_started compensation_failed"));
}
