use axum::body::Body;
use axum::http::{Request, StatusCode};
use query_api::QueryOptions;
use serde_json::{Value, json};

use crate::api::Api;
use crate::rows::{agent, applied, event, event_id, id, insert, task};

/// PLAT-44: no field shows, counts or finds what belongs to another tenant, also where ids are known.
#[tokio::test]
async fn a_tenant_sees_its_own_and_nothing_else() {
    let api = Api::start().await;
    insert(&api.writer, "task_list", task("acme", 1, json!({}))).await;
    insert(
        &api.writer,
        "task_list",
        task("other", 2, json!({"parent_id": id(1), "worker": id(3), "state": "running"})),
    )
    .await;
    insert(&api.writer, "agent_list", agent("acme", 3, json!({}))).await;
    insert(&api.writer, "event_journal", event("acme", 1, 1, 1, json!({}))).await;
    applied(&api.writer, &["task_list"], 0, 2).await;
    let query = "query($task: ID!, $agent: ID!, $event: ID!, $event_text: String!) {
        task(id: $task) { id } agent(id: $agent) { id } tasks { totalCount nodes { id } } agents { totalCount nodes { id } }
        agentStats { total busy } queues { nodes { name } } history(id: $task) { nodes { id } } events { nodes { id } }
        causation(id: $event_text) { eventCount } provenance(table: TASK_LIST, id: $task) { version }
        a: node(id: $task) { id } b: node(id: $agent) { id } c: node(id: $event) { id } }";
    let event = event_id(&id(1), 1);
    let variables = json!({"task": id(1), "agent": id(3), "event": event, "event_text": event});
    let foreign = api.data("other", query, variables.clone()).await;
    let empty = json!({"totalCount": 0, "nodes": []});
    let expected = json!({"task": null, "agent": null, "tasks": {"totalCount": 1, "nodes": [{"id": id(2)}]}, "agents": empty,
        "agentStats": {"total": 0, "busy": 0}, "queues": {"nodes": []}, "history": {"nodes": []}, "events": {"nodes": []},
        "causation": null, "provenance": null, "a": null, "b": null, "c": null});
    assert_eq!(foreign, expected);
    let own = api.data("acme", query, variables).await;
    assert_eq!(own["agentStats"], json!({"total": 1, "busy": 0}), "a foreign lease makes nobody busy");
    assert_eq!(own["c"]["id"], json!(event));
    let children = "query($id: ID!) { task(id: $id) { children { totalCount } } }";
    assert_eq!(api.data("acme", children, json!({"id": id(1)})).await["task"]["children"]["totalCount"], 0);
}

/// The tenant is believed on loopback addresses only, and has one form.
#[tokio::test]
async fn a_tenant_has_a_form_and_must_be_trusted() {
    let api = Api::start().await;
    assert_eq!(api.code("No Such", "{ __typename }", json!({})).await, "invalid_header");
    let untrusting = Api::with(QueryOptions { trust_tenant_header: false, ..QueryOptions::default() }).await;
    let (status, answer) = untrusting.ask("acme", "{ __typename }", json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    let plain = Request::get("/graphql?query=%7B__typename%7D").body(Body::empty()).unwrap();
    let (status, answer) = untrusting.send(plain).await;
    assert_eq!((status, &answer["data"]["__typename"]), (StatusCode::OK, &Value::from("Query")));
}
