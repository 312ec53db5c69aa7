//! One tenant never reads, writes, counts or infers another's data.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::shared::api;
use crate::support::tasks::task;

/// PLAT-44: ids, keys, queues, figures, events and cursors of one tenant are nothing to another.
#[tokio::test]
async fn tenants_do_not_meet() {
    let ours = api().await;
    let theirs = ours.as_tenant(&format!("{}-other", ours.tenant));
    let body = task("shared-name", json!({ "title": "secret" }));
    let mine = ours.command("tasks", &body).key("same").send().await.accepted();
    let other = theirs.command("tasks", &body).key("same").send().await.accepted();
    assert_ne!(mine.id(), other.id(), "one key of two tenants is two commands");
    assert_eq!(other.header("idempotency-replayed"), None);
    let path = format!("tasks/{}", mine.id());
    theirs.refused(&format!("{path}/cancel"), json!({}), 404, "not_found").await;
    theirs.refused(&format!("{path}/start"), json!({ "fencingToken": 1 }), 404, "not_found").await;
    let claimed =
        theirs.done("tasks/claim", json!({ "worker": "w", "queues": ["shared-name"], "max": 100 })).await;
    let claimed = claimed.body["tasks"].as_array().unwrap();
    assert!(claimed.iter().all(|task| task["id"] == other.id()) && claimed.len() == 1, "{claimed:#?}");

    let query = "query($id: ID!, $event: ID!, $any: String!) { task(id: $id) { id } node(id: $event) { id }
        history(id: $id) { nodes { id } } causation(id: $any) { eventCount }
        provenance(table: TASK_LIST, id: $id) { eventId } tasks(filter: { kind: [\"test\"] }) { nodes { id } totalCount }
        queues { nodes { name depth assigned } } events(first: 50) { nodes { subject } } agentStats { total } }";
    let variables =
        json!({ "id": mine.id(), "event": mine.text("/events/0/id"), "any": mine.text("/events/0/id") });
    let seen = theirs.query(&other.position(), query, variables).await;
    for nothing in ["task", "node", "causation", "provenance"] {
        assert!(seen[nothing].is_null(), "{nothing}: {seen:#}");
    }
    assert_eq!(seen["history"]["nodes"], json!([]));
    assert_eq!(seen["tasks"], json!({ "nodes": [{ "id": other.id() }], "totalCount": 1 }));
    assert_eq!(seen["queues"]["nodes"].as_array().unwrap().len(), 1);
    assert!(!seen.to_string().contains(&mine.id()), "{seen:#}");
    assert_eq!(seen["agentStats"]["total"], 0);
    let events = theirs.events().await;
    assert!(!events.is_empty() && events.iter().all(|event| event.tenant == theirs.tenant));
}

/// PLAT-44: tenants at the same time, on the same queue names and the same keys: each ends with its own.
#[tokio::test]
async fn tenants_at_the_same_time_stay_apart() {
    let api = api().await;
    let tenants: Vec<_> = (0..10).map(|n| api.as_tenant(&format!("{}-{n}", api.tenant))).collect();
    let work = tenants.iter().map(async |tenant| {
        let mut last = String::new();
        for n in 0..5 {
            let body = task("jobs", json!({ "title": format!("{n}") }));
            last = tenant.command("tasks", &body).key(&format!("k-{n}")).send().await.accepted().position();
        }
        let data =
            tenant.query(&last, "{ tasks { totalCount } queues { nodes { depth } } }", json!({})).await;
        assert_eq!(data, json!({ "tasks": { "totalCount": 5 }, "queues": { "nodes": [{ "depth": 5 }] } }));
    });
    join_all(work).await;
}

/// PLAT-44: a name that is none is refused, never read as another.
#[tokio::test]
async fn a_tenant_has_a_name_of_few_characters() {
    let api = api().await;
    for bad in ["Acme", "a b", "../x", "a_b", &"x".repeat(65)] {
        let refused = api.as_tenant(bad).command("tasks", &task("q", json!({}))).send().await;
        let refused = refused.is(400, "invalid_header");
        assert!(refused.text("/detail").to_lowercase().contains("tenant"), "{refused:#?}");
        assert_eq!(
            api.as_tenant(bad).ask(None, "{ tasks { totalCount } }", json!({})).await.status,
            400,
            "{bad}"
        );
    }
}
