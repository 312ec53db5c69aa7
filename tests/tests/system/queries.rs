//! What GraphQL answers: tokens, pages, figures, limits.

use serde_json::{Value, json};

use crate::support::api::joined;
use crate::support::shared::api;

/// PLAT-26: an answer waits for its token; without one it is what it is; a foreign one is refused.
#[tokio::test]
async fn an_answer_includes_its_token() {
    let api = api().await;
    for n in 0..20 {
        let created = api.create("tokens", json!({ "title": format!("{n}") })).await;
        let query = "query($id: ID!, $at: ConsistencyToken) { task(id: $id, atLeast: $at) { title } }";
        let variables = json!({ "id": created.id(), "at": created.position() });
        let answer = api.ask(None, query, variables).await;
        assert_eq!(answer.body["data"]["task"]["title"], format!("{n}"), "{answer:#?}");
        let seen = answer.text("/extensions/position");
        let again = api
            .query(&seen, "query($id: ID!) { task(id: $id) { title } }", json!({ "id": created.id() }))
            .await;
        assert_eq!(again["task"]["title"], format!("{n}"), "the token of a query is one too");
    }
    let ahead = schemas::position::Token::of(1, 0, u64::MAX >> 8).to_string();
    let late = api.ask(Some(&ahead), "{ tasks { totalCount } }", json!({})).await;
    assert_eq!(late.body["errors"][0]["extensions"]["code"], "token_not_reached", "{late:#?}");
    for bad in ["junk", &schemas::position::Token::of(9, 0, 1).to_string()] {
        let refused = api.ask(Some(bad), "{ tasks { totalCount } }", json!({})).await;
        assert_eq!(refused.body["errors"][0]["extensions"]["code"], "invalid_token", "{refused:#?}");
    }
}

/// TASK-5, PLAT-5: pages forward and backward hold every task once; a cursor of another query is refused.
#[tokio::test]
async fn pages_hold_every_task_once() {
    let api = api().await;
    let (mut ids, mut positions) = (Vec::new(), Vec::new());
    for n in 0..23 {
        let queue = if n % 2 == 0 { "even" } else { "odd" };
        let created = api.create(queue, json!({})).await;
        ids.push(created.id());
        positions.push(created.position());
    }
    let last = joined(&positions);
    let query = "query($after: String) { tasks(first: 5, after: $after, order: CREATED_ASC) {
        nodes { id } pageInfo { hasNextPage endCursor startCursor } totalCount } }";
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = api.query(&last, query, json!({ "after": after })).await["tasks"].take();
        assert_eq!(page["totalCount"], 23);
        seen.extend(
            page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()),
        );
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let (mut all, mut found) = (ids.clone(), seen.clone());
    all.sort_unstable();
    found.sort_unstable();
    assert_eq!(all, found);
    let back =
        "query($before: String) { tasks(last: 4, before: $before, order: CREATED_ASC) { nodes { id } } }";
    let page = api.query(&last, back, json!({ "before": after })).await["tasks"]["nodes"].take();
    let expected: Vec<Value> = seen[18..22].iter().map(|id| json!({ "id": id })).collect();
    assert_eq!(page, json!(expected), "the four before the last");
    let filtered = "query { tasks(filter: { queue: [\"odd\"], state: [QUEUED] }) { totalCount } }";
    assert_eq!(api.query(&last, filtered, json!({})).await["tasks"]["totalCount"], 11);
    let foreign = "query($after: String) { tasks(first: 5, after: $after, filter: { queue: [\"odd\"] }) { totalCount } }";
    let refused = api.ask(None, foreign, json!({ "after": after })).await;
    assert_eq!(refused.body["errors"][0]["extensions"]["code"], "invalid_cursor", "{refused:#?}");
}

/// TASK-25, TASK-28: how many tasks of a queue are in which state.
#[tokio::test]
async fn a_queue_counts_its_tasks() {
    let api = api().await;
    for _ in 0..4 {
        api.create("counted", json!({})).await;
    }
    let held = api.claim("w", "counted").await;
    api.hold(&held, "start", json!({})).await;
    let done = api.hold(&held, "complete", json!({})).await;
    let query = "{ queues(name: \"counted\") { nodes { name depth running succeeded oldestWaitingSince } } }";
    let mut node = api.query(&done.position(), query, json!({})).await["queues"]["nodes"][0].take();
    assert!(node["oldestWaitingSince"].take().is_string());
    let expected =
        json!({ "name": "counted", "depth": 3, "running": 0, "succeeded": 1, "oldestWaitingSince": null });
    assert_eq!(node, expected);
}

/// PLAT-10, PLAT-24, AGENT-21: events by type, aggregate, correlation and actor.
#[tokio::test]
async fn events_are_found() {
    let api = api().await;
    let held = api.running("events", json!({})).await;
    let done = api.command(&format!("tasks/{}/complete", held.id), &json!({ "fencingToken": held.token }));
    let done =
        done.header("x-correlation-id", "c-9").header("x-gesta-actor", "agent/z").send().await.accepted();
    let query = "query($id: ID!) {
        all: events(order: TIME_ASC, filter: { aggregateId: $id }) { nodes { type } }
        some: events(filter: { types: [\"gesta.work.task.started.v1\"] }) { nodes { version } }
        flow: events(filter: { correlationId: \"c-9\" }) { nodes { version } }
        actor: events(filter: { actorId: \"z\" }) { nodes { version } }
        none: events(filter: { until: \"2020-01-01T00:00:00Z\" }) { nodes { version } } }";
    let data = api.query(&done.position(), query, json!({ "id": held.id })).await;
    assert_eq!(data["all"]["nodes"].as_array().unwrap().len(), 5);
    assert_eq!(data["some"]["nodes"], json!([{ "version": 4 }]));
    assert_eq!(
        (&data["flow"]["nodes"], &data["actor"]["nodes"]),
        (&json!([{ "version": 5 }]), &json!([{ "version": 5 }]))
    );
    assert_eq!(data["none"]["nodes"], json!([]));
}

/// PLAT-26: every read model says how far it is.
#[tokio::test]
async fn projections_say_how_far_they_are() {
    let api = api().await;
    let created = api.create("lag", json!({})).await;
    let data = api.query(&created.position(), "{ tasks { totalCount } }", json!({})).await;
    assert_eq!(data["tasks"]["totalCount"], 1);
    let query = "{ projections { name generation state lagRecords shards { shard error } } }";
    let data = api.query(&created.position(), query, json!({})).await;
    let names: Vec<_> =
        data["projections"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    let expected = [
        "agent_list",
        "code_chunks",
        "event_journal",
        "queue_depth",
        "repository_list",
        "source_file_list",
        "state_transitions",
        "task_attempts",
        "task_list",
    ];
    assert_eq!(names, expected);
    for projection in data["projections"].as_array().unwrap() {
        assert_eq!(
            (&projection["state"], projection["shards"].as_array().unwrap().len()),
            (&json!("running"), 8)
        );
    }
}

/// PLAT-34: a query that would cost too much is refused before it runs, in time that its length bounds.
#[tokio::test]
async fn a_costly_query_is_refused() {
    let api = api().await;
    let bomb: String = (0..22)
        .map(|n| {
            format!("fragment f{n} on Task {{ children {{ nodes {{ ...f{m} ...f{m} }} }} }}\n", m = n + 1)
        })
        .collect();
    let bomb = format!("{{ tasks {{ nodes {{ ...f0 }} }} }}\n{bomb}fragment f22 on Task {{ id }}");
    let pages = "{ tasks(first: 101) { nodes { id } } }".to_owned();
    let deep = format!("{{ tasks {{ nodes {{ {} id {} }} }} }}", "parent {".repeat(20), "}".repeat(20));
    let aliases: String = (0..200).map(|n| format!("a{n}: tasks {{ totalCount }} ")).collect();
    for query in [bomb, pages, deep, format!("{{ {aliases} }}")] {
        let refused = api.ask(None, &query, json!({})).await;
        let code = refused.body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(["query_too_costly", "invalid_query"].contains(&code.as_str()), "{query}: {refused:#?}");
    }
    let broken = api.ask(None, "{ tasks { nodes { nothing } } }", json!({})).await;
    assert_eq!(broken.body["errors"][0]["extensions"]["code"], "invalid_query", "{broken:#?}");
}
