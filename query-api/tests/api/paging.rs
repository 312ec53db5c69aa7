use serde_json::{Value, json};

use crate::api::Api;
use crate::dead_letters::letter;
use crate::rows::{agent, event, id, insert, task};

/// All pages of a connection, forward or backward, as ids in the order in which they were given.
async fn all(api: &Api, query: &str, forward: bool, size: i32, extra: Value) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut cursor = Value::Null;
    for _ in 0..200 {
        let mut variables = extra.clone();
        variables["size"] = json!(size);
        variables["cursor"] = cursor;
        let data = api.data("acme", query, variables).await;
        let page = data.as_object().unwrap().values().next().unwrap();
        let mut nodes: Vec<_> = page["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap().to_owned())
            .collect();
        assert!(nodes.len() <= size as usize);
        if forward {
            ids.extend(nodes);
        } else {
            nodes.extend(ids);
            ids = nodes;
        }
        let info = &page["pageInfo"];
        let (more, next) =
            if forward { ("hasNextPage", "endCursor") } else { ("hasPreviousPage", "startCursor") };
        if info[more] != true {
            return ids;
        }
        cursor = info[next].clone();
    }
    panic!("paging does not end");
}

fn query(field: &str, arguments: &str, forward: bool) -> String {
    let page = if forward { "first: $size, after: $cursor" } else { "last: $size, before: $cursor" };
    let information = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";
    format!(
        "query($size: Int!, $cursor: String) {{ {field}({page}{arguments}) {{ nodes {{ id }} {information} }} }}"
    )
}

/// PLAT-5: pages of any size, forward and backward, give every row once, in order, also where many
/// rows have the same instant.
#[tokio::test]
async fn pages_are_complete_without_gap_or_repetition() {
    let api = Api::start().await;
    for number in 1..=23 {
        // Runs of five share an instant: the id must break the tie.
        let created = crate::rows::at(number as i64 / 5);
        insert(
            &api.writer,
            "task_list",
            task("acme", number, json!({"created_at": created, "updated_at": created})),
        )
        .await;
        insert(&api.writer, "agent_list", agent("acme", 100 + number, json!({"spawned_at": created}))).await;
        let row = event("acme", 1, number as i64, number as i64 / 3, json!({"event_index": number % 3}));
        insert(&api.writer, "event_journal", row).await;
        letter(&api, number as i64, json!({})).await;
    }
    let id1 = format!(", id: \"{}\"", id(1));
    let cases = [
        ("tasks", ", order: CREATED_ASC"),
        ("tasks", ", order: CREATED_DESC"),
        ("tasks", ", order: UPDATED_DESC"),
        ("agents", ", order: SPAWNED_ASC"),
        ("agents", ""),
        ("deadLetters", ""),
        ("deadLetters", ", order: PARKED_DESC"),
        ("events", ", order: LOG"),
        ("events", ", order: TIME_ASC"),
        ("events", ""),
        ("history", id1.as_str()),
    ];
    for (field, arguments) in cases {
        let whole = all(&api, &query(field, arguments, true), true, 100, json!({})).await;
        assert_eq!(whole.len(), 23, "{field}{arguments}");
        for size in [1, 4, 23, 24] {
            let forward = all(&api, &query(field, arguments, true), true, size, json!({})).await;
            assert_eq!(forward, whole, "{field}{arguments} forward by {size}");
            let backward = all(&api, &query(field, arguments, false), false, size, json!({})).await;
            assert_eq!(backward, whole, "{field}{arguments} backward by {size}");
        }
    }
}

/// A cursor of another query, another filter, another tenant, or one that was touched is refused.
#[tokio::test]
async fn a_foreign_cursor_is_refused() {
    let api = Api::start().await;
    for number in 1..=3 {
        insert(&api.writer, "task_list", task("acme", number, json!({}))).await;
    }
    let data = api.data("acme", "{ tasks(first: 1) { pageInfo { endCursor } } }", json!({})).await;
    let cursor = data["tasks"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    let variables = json!({ "cursor": cursor });
    let ask =
        |arguments: &str| format!("query($cursor: String) {{ {arguments} {{ nodes {{ __typename }} }} }}");
    let own = api.data("acme", &ask("tasks(after: $cursor)"), variables.clone()).await;
    assert_eq!(own["tasks"]["nodes"].as_array().unwrap().len(), 2);
    for foreign in [
        "tasks(after: $cursor, order: CREATED_ASC)",
        "tasks(after: $cursor, filter: {queue: \"x\"})",
        "agents(after: $cursor)",
        "events(after: $cursor)",
        "queues(before: $cursor)",
    ] {
        assert_eq!(api.code("acme", &ask(foreign), variables.clone()).await, "invalid_cursor", "{foreign}");
    }
    assert_eq!(api.code("other", &ask("tasks(after: $cursor)"), variables).await, "invalid_cursor");
    let touched = json!({ "cursor": format!("{}A", &cursor[..cursor.len() - 1]) });
    assert_eq!(api.code("acme", &ask("tasks(after: $cursor)"), touched).await, "invalid_cursor");
    for size in ["first: 101", "first: 0", "last: -1", "first: 3000000", "first: 1, last: 1"] {
        let query = format!("{{ tasks({size}) {{ nodes {{ id }} }} }}");
        assert_eq!(api.code("acme", &query, json!({})).await, "invalid_query", "{size}");
    }
}
