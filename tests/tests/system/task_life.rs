//! A task from its creation to its result.

use serde_json::json;

use crate::support::shared::api;
use crate::support::tasks::{task, token, verbs};

/// TASK-1, TASK-2, TASK-3, TASK-4, TASK-9, TASK-23, PLAT-4, PLAT-5, PLAT-26, M-8: created, claimed, begun, done; each
/// answer's token shows its effect.
#[tokio::test]
async fn a_task_is_worked_to_its_end() {
    let api = api().await;
    let more = json!({ "description": "what for", "priority": "high", "payload": { "path": "src" },
                       "requirements": ["fs"], "metadata": { "team": "a" } });
    let created = api.create("work", more).await;
    let id = created.id();
    assert_eq!((created.status, created.verbs().as_str(), created.version()), (201, "created queued", 2));
    assert_eq!(created.header("location"), Some(format!("/api/v1/tasks/{id}").as_str()));
    assert_eq!(created.header("etag"), Some("\"2\""));
    let fields =
        "state status priority payload requirements metadata description worker attempt version createdBy";
    assert_eq!(
        api.task(&created.position(), &id, fields).await,
        json!({ "state": "QUEUED", "status": "QUEUED", "priority": "HIGH", "payload": { "path": "src" },
                "requirements": ["fs"], "metadata": { "team": "a" }, "description": "what for", "worker": null,
                "attempt": 0, "version": 2, "createdBy": "user/local" })
    );
    let claim = json!({ "worker": "w-1", "queues": ["work"] });
    let claimed = api.done("tasks/claim", claim).await;
    assert_eq!(
        (claimed.text("/tasks/0/id"), claimed.body["tasks"][0]["attempt"].as_u64()),
        (id.clone(), Some(1))
    );
    assert_eq!(claimed.body["tasks"][0]["payload"], json!({ "path": "src" }));
    let token = token(&claimed, "/tasks/0");
    let started = api.act(&id, "start", json!({ "fencingToken": token })).await;
    assert_eq!(started.verbs(), "started");
    let report = json!({ "fencingToken": token, "progress": 40, "note": "halfway",
                         "estimatedCompletion": "2030-01-01T00:00:00.000Z" });
    let reported = api.act(&id, "progress", report).await;
    let seen =
        api.task(&reported.position(), &id, "state worker progress progressNote estimatedCompletion").await;
    assert_eq!(
        seen,
        json!({ "state": "RUNNING", "worker": "w-1", "progress": 40, "progressNote": "halfway",
                "estimatedCompletion": "2030-01-01T00:00:00+00:00" })
    );
    let lower = api.act(&id, "progress", json!({ "fencingToken": token, "progress": 39 })).await;
    assert_eq!(lower.verbs(), "", "progress never falls");
    let done = json!({ "fencingToken": token, "result": { "files": 3 } });
    let done = api.act(&id, "complete", done).await;
    let fields = "state status worker result completedAt attempts { attempt worker outcome }";
    let mut seen = api.task(&done.position(), &id, fields).await;
    assert!(seen["completedAt"].take().is_string());
    assert_eq!(
        seen,
        json!({ "state": "SUCCEEDED", "status": "SUCCEEDED", "worker": "w-1", "result": { "files": 3 },
                "completedAt": null, "attempts": [{ "attempt": 1, "worker": "w-1", "outcome": "succeeded" }] })
    );
    assert_eq!(verbs(&api.log_of(&id).await), "created queued assigned started progressed succeeded");
}

/// PLAT-1, PLAT-17, PLAT-18, M-8: the history names every change of state, by whom and by which command.
#[tokio::test]
async fn its_history_tells_every_change_of_state() {
    let api = api().await;
    let held = api.running("history", json!({})).await;
    let done = api.hold(&held, "complete", json!({})).await;
    let query =
        "query($id: ID!) { history(id: $id) { nodes { version commandType actor transition { from to } } } }";
    let data = api.query(&done.position(), query, json!({ "id": held.id })).await;
    let step = |node: &serde_json::Value| {
        let (from, to) = (&node["transition"]["from"], &node["transition"]["to"]);
        format!("{} {} {from} {to}", node["version"], node["commandType"].as_str().unwrap_or("?"))
    };
    let steps: Vec<String> = data["history"]["nodes"].as_array().unwrap().iter().map(step).collect();
    assert_eq!(
        steps,
        [
            "1 task.create null \"pending\"",
            "2 task.create \"pending\" \"queued\"",
            "3 task.claim \"queued\" \"assigned\"",
            "4 task.start \"assigned\" \"running\"",
            "5 task.complete \"running\" \"succeeded\"",
        ]
    );
    assert!(data["history"]["nodes"].as_array().unwrap().iter().all(|node| node["actor"] == "user/local"));
}

/// TASK-6, TASK-7, TASK-8: second names of update and cancel; the push of a task to a worker.
#[tokio::test]
async fn a_task_is_changed_pushed_and_cancelled() {
    let api = api().await;
    let created = api.create("push", json!({})).await;
    let path = format!("tasks/{}", created.id());
    let change = api.request(reqwest::Method::PUT, &path);
    let changed =
        crate::support::api::Call(change.0.json(&json!({ "title": "other", "priority": "critical" })));
    let changed = changed.send().await.accepted();
    let seen = api.task(&changed.position(), &created.id(), "title priority").await;
    assert_eq!(seen, json!({ "title": "other", "priority": "CRITICAL" }));
    let pushed = api.act(&created.id(), "assign", json!({ "worker": "w-9" })).await;
    assert_eq!(pushed.text("/task/id"), created.id());
    let seen = api.task(&pushed.position(), &created.id(), "state worker lease { fencingToken }").await;
    assert_eq!(seen, json!({ "state": "ASSIGNED", "worker": "w-9", "lease": { "fencingToken": 1 } }));
    let late = json!({ "title": "too late" });
    let late = api.refused(&format!("{path}/update"), late, 409, "transition_refused").await;
    assert_eq!(late.body["state"], "assigned");
    assert!(late.body["allowed"].as_array().unwrap().contains(&json!("task.start")), "{late:#?}");
    let cancelled = api.request(reqwest::Method::DELETE, &path).send().await.accepted();
    assert_eq!(
        api.task(&cancelled.position(), &created.id(), "state").await,
        json!({ "state": "CANCELLED" })
    );
}

/// TASK-22: parts of a task; what waits for others is held until it is enqueued.
#[tokio::test]
async fn a_task_has_parts_that_wait_for_each_other() {
    let api = api().await;
    let whole = api.create("parts", json!({ "hold": true })).await;
    let first = api.create("parts", json!({ "parentId": whole.id() })).await;
    let second = json!({ "parentId": whole.id(), "dependsOn": [first.id()] });
    let second = api.create("parts", second).await;
    assert_eq!((whole.verbs(), second.verbs()), ("created".into(), "created".into()));
    let seen =
        api.task(&second.position(), &whole.id(), "state children { nodes { id state } totalCount }").await;
    let nodes = json!([{ "id": first.id(), "state": "QUEUED" }, { "id": second.id(), "state": "PENDING" }]);
    assert_eq!(seen, json!({ "state": "PENDING", "children": { "nodes": nodes, "totalCount": 2 } }));
    let queued = api.act(&second.id(), "enqueue", json!({})).await;
    let seen = api.task(&queued.position(), &second.id(), "state parent { id } dependsOn").await;
    assert_eq!(seen, json!({ "state": "QUEUED", "parent": { "id": whole.id() }, "dependsOn": [first.id()] }));
}

/// TASK-1: what the creator leaves out.
#[tokio::test]
async fn what_is_left_out_has_a_default() {
    let api = api().await;
    let created = api.done("tasks", json!({ "type": "t", "title": "" })).await;
    let seen = api.task(&created.position(), &created.id(), "queue priority maxAttempts payload").await;
    assert_eq!(seen, json!({ "queue": "default", "priority": "NORMAL", "maxAttempts": 3, "payload": {} }));
    let medium = api.done("tasks", task("default", json!({ "priority": "medium" }))).await;
    let seen = api.task(&medium.position(), &medium.id(), "priority").await;
    assert_eq!(seen, json!({ "priority": "NORMAL" }), "`medium` is read as `normal`");
}
