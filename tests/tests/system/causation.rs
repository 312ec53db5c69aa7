//! Who did what, why, and what came of it.

use serde_json::json;

use crate::support::eventually::eventually;
use crate::support::shared::api;
use crate::support::tasks::task;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// PLAT-7, PLAT-23: what a request says about itself stands in the log, in the journal and in the answer.
#[tokio::test]
async fn an_event_carries_where_it_comes_from() {
    let api = api().await;
    let call =
        api.command("tasks", &task("origin", json!({}))).key("k-1").header("x-gesta-actor", "agent/a-7");
    let call = call.header("x-correlation-id", "flow-1").header("x-causation-id", "outside-1");
    let created = call.header("traceparent", TRACE).send().await.accepted();
    assert_eq!(
        (created.header("x-correlation-id"), created.header("x-causation-id")),
        (Some("flow-1"), Some("outside-1"))
    );
    let event = api.log_of(&created.id()).await.remove(0);
    assert_eq!(
        (event.key.as_str(), event.command.as_str(), event.tenant),
        ("k-1", "task.create", api.tenant.clone())
    );
    assert_eq!((event.correlation.as_str(), event.causation.as_str()), ("flow-1", "outside-1"));
    assert_eq!((event.authtype.as_str(), event.authid.as_str()), ("service_account", "a-7"));
    let query =
        "query($id: ID!) { node(id: $id) { ... on Event { type version subject correlationId causationId
        commandId commandType actor traceparent position } } }";
    let data = api.query(&created.position(), query, json!({ "id": event.id })).await;
    assert_eq!(
        data["node"],
        json!({ "type": "gesta.work.task.created.v1", "version": 1, "subject": format!("task/{}", created.id()),
                "correlationId": "flow-1", "causationId": "outside-1", "commandId": "k-1", "commandType": "task.create",
                "actor": "agent/a-7", "traceparent": TRACE, "position": event.position.to_string() })
    );
}

/// PLAT-7: everything that one request caused is one tree, deadlines of the system included.
#[tokio::test]
async fn what_a_request_caused_is_a_tree() {
    let api = api().await;
    let more = json!({ "policy": { "maxAttempts": 2, "backoffBaseMs": 0 } });
    let create = api.command("tasks", &task("tree", more)).key("root").header("x-correlation-id", "flow-2");
    let created = create.send().await.accepted();
    let held = api.claim("w-1", "tree").await;
    api.hold(&held, "start", json!({})).await;
    let cause = created.text("/events/1/id");
    let body = json!({ "fencingToken": held.token, "reason": "io" });
    let fail = api.command(&format!("tasks/{}/fail", held.id), &body).key("failure");
    let fail = fail.header("x-correlation-id", "flow-2").header("x-causation-id", &cause);
    fail.send().await.accepted();
    api.until(&held.id, "QUEUED").await;
    let queued = api.log_of(&held.id).await.pop().unwrap();
    assert_eq!((queued.verb(), queued.by_the_system()), ("queued", true));
    let query = "query($id: String!) { causation(id: $id) { correlationId eventCount truncated
        steps(first: 50) { kind type depth actor } } }";
    // The last event is the system's own: no answer named its position.
    let id = created.text("/events/0/id");
    let look = async || api.query(&created.position(), query, json!({ "id": id })).await;
    let data = eventually("four events", look, |data| data["causation"]["eventCount"] == 4).await;
    let steps = data["causation"]["steps"].as_array().unwrap();
    let step = |step: &serde_json::Value| format!("{} {}", step["depth"], step["type"].as_str().unwrap());
    let drawn: Vec<String> = steps.iter().map(step).collect();
    assert_eq!(
        drawn,
        [
            "0 task.create",
            "1 gesta.work.task.created.v1",
            "1 gesta.work.task.queued.v1",
            "2 task.fail",
            "3 gesta.work.task.retry_scheduled.v1",
            "4 task.make_due",
            "5 gesta.work.task.queued.v1",
        ]
    );
    assert_eq!(
        (&data["causation"]["correlationId"], &data["causation"]["eventCount"]),
        (&json!("flow-2"), &json!(4))
    );
    let by_command = api.query(&created.position(), query, json!({ "id": "failure" })).await;
    assert_eq!(by_command, data, "found by any of its parts");
}

/// PLAT-7: from a row back to the event, its command, and who issued it.
#[tokio::test]
async fn a_row_says_where_it_comes_from() {
    let api = api().await;
    let held = api.running("provenance", json!({})).await;
    let done = api.command(&format!("tasks/{}/complete", held.id), &json!({ "fencingToken": held.token }));
    let done = done.key("the-end").header("x-gesta-actor", "agent/a-1").send().await.accepted();
    let query = "query($id: ID!) { provenance(table: TASK_LIST, id: $id) { version eventId event { commandId actor type } } }";
    let data = api.query(&done.position(), query, json!({ "id": held.id })).await;
    let event =
        json!({ "commandId": "the-end", "actor": "agent/a-1", "type": "gesta.work.task.succeeded.v1" });
    assert_eq!(
        data["provenance"],
        json!({ "version": 5, "eventId": done.text("/events/0/id"), "event": event })
    );
}

/// PLAT-7: from a value of a row back to the event that last changed it; later events left it as it is.
#[tokio::test]
async fn a_value_says_where_it_comes_from() {
    let api = api().await;
    let created = api.create("values", json!({ "title": "first" })).await;
    let rename = async |title: &str, key: &str| {
        let body = json!({ "title": title });
        let call = api.command(&format!("tasks/{}/update", created.id()), &body).key(key);
        call.header("x-gesta-actor", &format!("user/{key}")).send().await.accepted()
    };
    let renamed = rename("second", "alice").await;
    rename("second", "bob").await;
    let held = api.claim("w-1", "values").await;
    let last = api.hold(&held, "start", json!({})).await;
    let query = "query($id: ID!, $field: String!) { provenance(table: TASK_LIST, id: $id, field: $field) {
        value eventId event { actor commandType } } }";
    for (field, value, event, actor, command) in [
        ("title", json!("second"), renamed.text("/events/0/id"), "user/alice", "task.update"),
        ("priority", json!("normal"), created.text("/events/0/id"), "user/local", "task.create"),
        ("state", json!("running"), last.text("/events/0/id"), "user/local", "task.start"),
    ] {
        let data = api.query(&last.position(), query, json!({ "id": held.id, "field": field })).await;
        let from = json!({ "actor": actor, "commandType": command });
        assert_eq!(data["provenance"], json!({ "value": value, "eventId": event, "event": from }), "{field}");
    }
    let lease = "query($id: ID!) { task(id: $id) { lease { id } } }";
    let lease = api.query(&last.position(), lease, json!({ "id": held.id })).await;
    let query =
        "query($id: ID!) { provenance(table: TASK_ATTEMPTS, id: $id, field: \"worker\") { value version } }";
    let data = api.query(&last.position(), query, json!({ "id": lease["task"]["lease"]["id"] })).await;
    assert_eq!(data["provenance"], json!({ "value": "w-1", "version": 5 }));
}
