//! What well-formed commands are answered with.

use axum::http::{Method, StatusCode};
use schemas::contract::Address;
use schemas::registry::{command_types, transitions};
use serde_json::{Value, json};

use super::{TASK, post, request, send, started, task};
use crate::http::{EdgeConfig, Queues};

/// A task that worker `w` holds, with its token.
async fn leased(router: &axum::Router) -> (String, u64) {
    let id = task(router, TASK).await;
    let claim = post(router, "/api/v1/tasks/claim", &[], r#"{"worker":"w","queues":["q"]}"#).await;
    assert_eq!(claim.status, StatusCode::OK, "{}", claim.text);
    let leased = claim.json()["tasks"][0].clone();
    assert_eq!(leased["id"], id.as_str());
    (id, leased["fencingToken"].as_u64().unwrap())
}

/// TASK-3: a creation answers 201 with the task's id, its address and its version.
#[tokio::test]
async fn a_creation_is_answered_with_address_and_version() {
    let router = started().await;
    let got =
        post(&router, "/api/v1/tasks", &[("idempotency-key", "k-1"), ("x-correlation-id", "flow")], TASK)
            .await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    let body = got.json();
    let id = body["aggregateId"].as_str().unwrap();
    assert_eq!(got.header("location"), format!("/api/v1/tasks/{id}"));
    assert_eq!(got.header("etag"), format!("\"{}\"", body["version"]));
    assert_eq!((got.header("idempotency-key"), got.header("x-correlation-id")), ("k-1", "flow"));
    assert_eq!((got.header("x-causation-id"), got.header("idempotency-replayed")), ("k-1", ""));
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(body["events"][0]["type"], "gesta.work.task.created.v1");
    assert!(body["position"].as_str().unwrap().starts_with("v1."));

    let again = post(&router, "/api/v1/tasks", &[("idempotency-key", "k-1")], TASK).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!(again.json(), body, "the stored answer");
    let spaced = post(
        &router,
        "/api/v1/tasks",
        &[("idempotency-key", "k-1")],
        r#" {"title":"one", "type":"t","queue":"q"}"#,
    )
    .await;
    assert_eq!(spaced.json(), body, "the same body in another spelling");
}

#[tokio::test]
async fn what_the_client_leaves_out_is_made() {
    let router = started().await;
    let (one, two) =
        (post(&router, "/api/v1/tasks", &[], TASK).await, post(&router, "/api/v1/tasks", &[], TASK).await);
    for name in ["idempotency-key", "x-correlation-id", "x-causation-id", "x-request-id"] {
        assert_eq!(one.header(name).len(), 36, "{name}");
    }
    assert_ne!(one.header("idempotency-key"), two.header("idempotency-key"));
    assert_ne!(one.json()["aggregateId"], two.json()["aggregateId"]);
    assert_eq!(one.header("preference-applied"), "");
    let waited = post(&router, "/api/v1/tasks", &[("prefer", "respond-async, wait=600")], TASK).await;
    assert_eq!(waited.header("preference-applied"), "wait=60");
}

/// TASK-9, TASK-10, TASK-23: a claimed task is started, reports, renews and completes under its token.
#[tokio::test]
async fn a_task_is_worked_on_under_its_token() {
    let router = started().await;
    let (id, token) = leased(&router).await;
    let act = |verb: &str, body: Value| {
        let (router, path) = (router.clone(), format!("/api/v1/tasks/{id}/{verb}"));
        async move { post(&router, &path, &[], body.to_string()).await }
    };
    assert_eq!(act("start", json!({ "fencingToken": token })).await.status, StatusCode::OK);
    let progress = act("progress", json!({ "fencingToken": token, "progress": 40 })).await;
    assert_eq!(progress.json()["events"][0]["type"], "gesta.work.task.progressed.v1");
    let renewed = act("renew", json!({ "fencingToken": token })).await;
    assert!(renewed.json()["runsUntil"].is_string(), "{}", renewed.text);
    let foreign = act("complete", json!({ "fencingToken": token + 7 })).await;
    assert_eq!(
        (foreign.status, &foreign.json()["code"]),
        (StatusCode::CONFLICT, &json!("lease_held_by_other"))
    );
    let done = act("complete", json!({ "fencingToken": token, "result": { "n": 1 } })).await;
    assert_eq!(
        (done.status, &done.json()["events"][0]["type"]),
        (StatusCode::OK, &json!("gesta.work.task.succeeded.v1"))
    );
    let late = act("complete", json!({ "fencingToken": token, "result": { "n": 2 } })).await;
    assert_eq!(
        (late.status, &late.json()["code"]),
        (StatusCode::CONFLICT, &json!("stale_fencing_token")),
        "{}",
        late.text
    );
    assert_eq!(late.json()["currentToken"], token);
    let update = act("update", json!({ "title": "late" })).await;
    assert_eq!((update.status, &update.json()["code"]), (StatusCode::CONFLICT, &json!("transition_refused")));
    assert_eq!(
        (&update.json()["state"], &update.json()["allowed"]),
        (&json!("succeeded"), &json!(["task.compensate"]))
    );
}

/// TASK-6, TASK-7: PUT updates and DELETE cancels a task.
#[tokio::test]
async fn put_updates_and_delete_cancels_a_task() {
    let router = started().await;
    let path = format!("/api/v1/tasks/{}", task(&router, TASK).await);
    let put = send(&router, request(Method::PUT, &path, &[], r#"{"priority":"high"}"#)).await;
    assert_eq!(put.json()["events"][0]["type"], "gesta.work.task.updated.v1", "{}", put.text);
    let bare = axum::http::Request::delete(&path).body(axum::body::Body::empty()).unwrap();
    let cancelled = send(&router, bare).await;
    assert_eq!(cancelled.json()["events"][0]["type"], "gesta.work.task.cancelled.v1", "{}", cancelled.text);
}

/// TASK-8: an assignment leases one task to one worker and answers with the lease.
#[tokio::test]
async fn an_assignment_answers_with_the_lease() {
    let router = started().await;
    let id = task(&router, TASK).await;
    let got = post(&router, &format!("/api/v1/tasks/{id}/assign"), &[], r#"{"worker":"w"}"#).await;
    assert_eq!(got.json()["task"]["fencingToken"], 1, "{}", got.text);
    assert_eq!(got.json()["task"]["queue"], "q");
}

/// AGENT-13, AGENT-15, AGENT-16, AGENT-17, AGENT-18, AGENT-19
#[tokio::test]
async fn an_agent_is_spawned_paused_resumed_restarted_killed_and_archived() {
    let router = started().await;
    let body = r#"{"model":"none","label":"a","task":"count","maxRetries":3,"budgetLimit":"10.00","config":{"temperature":0.7}}"#;
    let spawned = post(&router, "/api/v1/agents", &[], body).await;
    assert_eq!(spawned.status, StatusCode::CREATED, "{}", spawned.text);
    let path = format!("/api/v1/agents/{}", spawned.json()["aggregateId"].as_str().unwrap());
    for (verb, body, event) in [
        ("worktree-created", r#"{"path":"/w"}"#, "worktree_created"),
        ("session-started", "{}", "session_started"),
        ("pause", r#"{"reason":"look"}"#, "paused"),
        ("resume", "", "resumed"),
        ("restart", "{}", "restarted"),
        ("kill", "{}", "killed"),
    ] {
        let got = post(&router, &format!("{path}/{verb}"), &[], body).await;
        assert_eq!(got.status, StatusCode::OK, "{verb}: {}", got.text);
        let events = got.json()["events"].to_string();
        assert!(events.contains(&format!("gesta.fleet.agent.{event}.v1")), "{verb}: {events}");
    }
    let archived = send(&router, request(Method::DELETE, &path, &[], "")).await;
    assert_eq!(archived.json()["events"][0]["type"], "gesta.fleet.agent.archived.v1", "{}", archived.text);
}

/// PLAT-37: a dry run tells what would happen and writes nothing.
#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let router = started().await;
    let id = task(&router, TASK).await;
    let path = format!("/api/v1/tasks/{id}/cancel");
    let dry = post(&router, &format!("{path}?dryRun=true"), &[], "{}").await;
    assert_eq!((dry.status, &dry.json()["dryRun"]), (StatusCode::OK, &json!(true)), "{}", dry.text);
    assert_eq!(dry.json()["events"][0]["type"], "gesta.work.task.cancelled.v1");
    let real = post(&router, &path, &[], "{}").await;
    assert_eq!(real.json()["version"], dry.json()["version"], "the task stands where it stood");
    let creation = post(&router, "/api/v1/tasks?dryRun=true", &[], TASK).await;
    assert_eq!((creation.status, creation.header("location")), (StatusCode::OK, ""));
}

/// PLAT-44: a tenant's header decides whose task it is.
#[tokio::test]
async fn a_tenant_does_not_meet_the_task_of_another() {
    let router = started().await;
    let id = task(&router, TASK).await;
    let path = format!("/api/v1/tasks/{id}/cancel");
    let other = post(&router, &path, &[("x-gesta-tenant", "other")], "{}").await;
    assert_eq!((other.status, &other.json()["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let claim = r#"{"worker":"w","queues":["q"]}"#;
    let other = post(&router, "/api/v1/tasks/claim", &[("x-gesta-tenant", "other")], claim).await;
    assert_eq!(other.json()["tasks"], json!([]));
    assert_eq!(post(&router, &path, &[], "{}").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_queue_fills_in_what_the_creator_leaves_out() {
    let queues: Queues = serde_json::from_value(
        json!({ "open": false, "named": { "q": { "leaseMs": 5_000, "maxAttempts": 9 } } }),
    )
    .unwrap();
    let router = super::start(EdgeConfig { queues, trusts_headers: true }).await;
    let (id, _) = leased(&router).await;
    let other = task(&router, r#"{"queue":"q","type":"t","title":"two","policy":{"leaseMs":7000}}"#).await;
    let claim = post(&router, "/api/v1/tasks/claim", &[], r#"{"worker":"v","queues":["q"]}"#).await;
    assert_eq!(
        (&claim.json()["tasks"][0]["id"], &claim.json()["tasks"][0]["leaseMs"]),
        (&json!(other), &json!(7_000))
    );
    let released = post(&router, &format!("/api/v1/tasks/{id}/release"), &[], r#"{"fencingToken":1}"#).await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text);
    let again = post(&router, "/api/v1/tasks/claim", &[], r#"{"worker":"v","queues":["q"]}"#).await;
    assert_eq!(again.json()["tasks"][0]["leaseMs"], 5_000);
}

/// Every address of the document is served: the example of each command is read and reaches its aggregate.
#[tokio::test]
async fn every_command_has_its_address() {
    let router = started().await;
    for command in command_types() {
        let id = "8e88a6c9-40b0-87c7-a154-418b24b15ccd";
        let path = match command.address {
            Address::Create => format!("/api/v1/{}", command.collection),
            Address::Act(verb) => format!("/api/v1/{}/{id}/{verb}", command.collection),
            Address::Collection(verb) => format!("/api/v1/{}/{verb}?dryRun=true", command.collection),
            Address::Internal => continue,
        };
        let example = schemas::openapi::example(command.name).unwrap().to_string();
        let got = post(&router, &path, &[], example).await;
        let reached = match command.address {
            Address::Act(_)
                if transitions(command.aggregate)
                    .iter()
                    .any(|row| (row.from, row.command) == ("-", command.name)) =>
            {
                got.status.is_success()
            }
            Address::Act(_) => got.status == StatusCode::NOT_FOUND && got.json()["code"] == "not_found",
            _ => got.status.is_success(),
        };
        assert!(reached, "{}: {} {}", command.name, got.status, got.text);
    }
    let document = send(&router, request(Method::GET, "/openapi.json", &[], "")).await;
    assert_eq!(document.json()["openapi"], "3.1.0");
    let document = send(&router, request(Method::GET, "/asyncapi.json", &[], "")).await;
    assert_eq!(document.json()["channels"]["work"]["address"], "gesta.work.events");
}

#[tokio::test]
async fn a_batch_is_answered_line_by_line() {
    let router = started().await;
    let id = task(&router, TASK).await;
    let lines = [
        json!({ "command": "task.update", "id": id, "key": "u-1", "body": { "priority": "high" } })
            .to_string(),
        "{broken".into(),
        json!({ "command": "task.cancel", "id": id, "body": { "expectedVersion": 3 } }).to_string(),
        json!({ "command": "task.create", "key": "c-1", "body": { "type": "t", "title": "x", "colour": 1 } })
            .to_string(),
        json!({ "command": "task.create", "key": "c-2", "body": { "type": "t", "title": "x" } }).to_string(),
        json!({ "command": "task.expire_lease", "id": id, "body": { "fencingToken": 1 } }).to_string(),
        json!({ "command": "task.cancel", "body": {} }).to_string(),
        String::new(),
        json!({ "command": "task.update", "id": id, "key": "u-1", "body": { "priority": "high" } })
            .to_string(),
    ];
    let ndjson = |text: String| {
        let mut batch = request(Method::POST, "/api/v1/commands", &[], text);
        batch.headers_mut().insert("content-type", "application/x-ndjson".parse().unwrap());
        batch
    };
    let got = send(&router, ndjson(lines.join("\n"))).await;
    assert_eq!(
        (got.status, got.header("content-type")),
        (StatusCode::OK, "application/x-ndjson"),
        "{}",
        got.text
    );
    let answers: Vec<Value> = got.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<u64> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 400, 200, 422, 201, 422, 422, 200], "{}", got.text);
    assert_eq!(
        answers[2]["answer"]["events"][0]["type"], "gesta.work.task.cancelled.v1",
        "after the update before it"
    );
    assert_eq!(
        (&answers[3]["key"], &answers[3]["problem"]["errors"][0]["pointer"]),
        (&json!("c-1"), &json!("/body/colour"))
    );
    assert_eq!(answers[4]["key"], "c-2");
    assert_eq!(answers[7]["replayed"], true, "{}", answers[7]);
    let long = send(&router, ndjson("{}\n".repeat(1_001))).await;
    assert_eq!(
        (long.status, &long.json()["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("batch_too_large"))
    );
}
