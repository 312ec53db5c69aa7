//! What a client sends again after an answer was lost, when meanwhile other things changed (log.md §10).

use axum::http::StatusCode;
use event_log::{Log, MemoryOptions};
use serde_json::json;

use super::super::{EdgeConfig, Queues, router, with_layers};
use super::{TASK, post, started, task};
use crate::service::{Service, ServiceOptions};

/// PLAT-11, TASK-10: a claim that was granted in one of its queues gets the same leases again, also when by then an
/// earlier queue has tasks; another claim gets those.
#[tokio::test]
async fn a_claim_retried_over_several_queues() {
    let router = started().await;
    let granted = task(&router, r#"{"queue":"late","type":"t","title":"one"}"#).await;
    let body = r#"{"worker":"w","queues":["early","late"],"max":5}"#;
    let claim = |key| {
        let (router, key) = (router.clone(), [("idempotency-key", key)]);
        async move { post(&router, "/api/v1/tasks/claim", &key, body).await }
    };
    let first = claim("k-1").await;
    assert_eq!(first.json()["tasks"][0]["id"], json!(granted), "{}", first.text);
    let meanwhile = task(&router, r#"{"queue":"early","type":"t","title":"two"}"#).await;
    let again = claim("k-1").await;
    assert_eq!(again.json()["tasks"], first.json()["tasks"]);
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::OK, "true"));
    let other = claim("k-2").await;
    assert_eq!(other.json()["tasks"][0]["id"], json!(meanwhile), "{}", other.text);
}

/// PLAT-11, M-8: what a queue fills in is no part of the client's body. With other defaults at the second try it is
/// still the same task, and the first answer.
#[tokio::test]
async fn a_task_id_whose_queue_default_changed_between_try_and_retry() {
    let log = Log::memory(MemoryOptions::default());
    let service = Service::start(&log, &ServiceOptions::default()).unwrap();
    service.ready().await;
    let edge = |lease: u32| {
        let named =
            json!({ "open": true, "named": { "q": { "leaseMs": lease }, "default": { "leaseMs": lease } } });
        let queues: Queues = serde_json::from_value(named).unwrap();
        with_layers(router(service.clone(), EdgeConfig { queues, trusts_headers: true }))
    };
    let (before, after) = (edge(5_000), edge(9_000));
    for (key, body) in
        [("k-1", TASK), ("k-2", r#"{"type":"t","title":"in the queue that is meant without a name"}"#)]
    {
        let key = [("idempotency-key", key)];
        let first = post(&before, "/api/v1/tasks", &key, body).await;
        let again = post(&after, "/api/v1/tasks", &key, body).await;
        assert_eq!(
            (first.status, again.status),
            (StatusCode::CREATED, StatusCode::CREATED),
            "{}",
            again.text
        );
        assert_eq!(again.json(), first.json());
        assert_eq!(again.header("idempotency-replayed"), "true");
        let claimed =
            post(&after, "/api/v1/tasks/claim", &[], r#"{"worker":"w","queues":["q","default"]}"#).await;
        let claimed = &claimed.json()["tasks"][0];
        assert_eq!((&claimed["id"], &claimed["leaseMs"]), (&first.json()["aggregateId"], &json!(5_000)));
    }
}

/// TASK-10, M-8: whoever holds a task that shall stop is told by every renewal until when.
#[tokio::test]
async fn a_renewal_tells_of_a_cancellation() {
    let router = started().await;
    let id = task(&router, TASK).await;
    let act = |verb: &str, body: &'static str| {
        let (router, path) = (router.clone(), format!("/api/v1/tasks/{id}/{verb}"));
        async move { post(&router, &path, &[], body).await }
    };
    post(&router, "/api/v1/tasks/claim", &[], r#"{"worker":"w","queues":["q"]}"#).await;
    act("start", r#"{"fencingToken":1}"#).await;
    let before = act("renew", r#"{"fencingToken":1}"#).await;
    assert!(
        before.json()["runsUntil"].is_string() && before.json().get("graceUntil").is_none(),
        "{}",
        before.text
    );
    let asked = act("cancel", r#"{"reason":"no longer needed"}"#).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.text);
    let told = act("renew", r#"{"fencingToken":1}"#).await;
    assert!(told.json()["graceUntil"].is_string(), "{}", told.text);
}
