use migrations::EventJournalRow;
use migrations::trace::ColumnTrace;
use query_api::QueryOptions;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::Api;
use crate::rows::{event, event_id, id, insert, task};

/// A fold that is not the projectors': the column is the last value of that name in an event's data, the row
/// exists from the first one that has it.
fn trace(table: &str, column: &str, _: Uuid) -> Option<ColumnTrace> {
    let column = (table != "agent_list").then(|| column.to_owned())?;
    let mut value = None;
    Some(Box::new(move |event: &EventJournalRow| {
        if event.data.value().get("broken").is_some() {
            return Err("the event is broken".into());
        }
        value = event.data.value().get(&column).cloned().or(value.take());
        Ok(value.clone())
    }))
}

async fn api() -> Api {
    Api::with(QueryOptions { trace, ..QueryOptions::default() }).await
}

/// Task 1 with these payloads as its events.
async fn given(api: &Api, data: &[Value]) {
    for (version, data) in (1..).zip(data) {
        insert(&api.writer, "event_journal", event("acme", 1, version, version, json!({ "data": data })))
            .await;
    }
    let version = data.len();
    let with = json!({"version": version, "event_id": event_id(&id(1), version as i64)});
    insert(&api.writer, "task_list", task("acme", 1, with)).await;
}

const QUERY: &str = "query($id: ID!, $field: String) { provenance(table: TASK_LIST, id: $id, field: $field) {
    field value version eventId event { commandId actor } } }";

/// PLAT-7: from a value of a row back to the event that last changed it, the command, and who issued it; an
/// event that writes the value that stood there already has not changed it.
#[tokio::test]
async fn a_value_leads_to_the_event_that_last_changed_it() {
    let api = api().await;
    let steps = [
        json!({"title": "a", "progress": 0, "result": null}),
        json!({"title": "b"}),
        json!({"title": "a"}),
        json!({"title": "a", "progress": 7}),
        json!({}),
    ];
    given(&api, &steps).await;
    for (field, version, value) in
        [("title", 3, json!("a")), ("progress", 4, json!(7)), ("result", 1, Value::Null)]
    {
        let data = api.data("acme", QUERY, json!({"id": id(1), "field": field})).await;
        let event = json!({"commandId": format!("command-{version}"), "actor": "user/alice"});
        let expected = json!({"field": field, "value": value, "version": version,
            "eventId": event_id(&id(1), version), "event": event});
        assert_eq!(data["provenance"], expected);
    }
    let row = api.data("acme", QUERY, json!({"id": id(1)})).await;
    assert_eq!((&row["provenance"]["version"], &row["provenance"]["field"]), (&json!(5), &Value::Null));
    let other = api.data("other", QUERY, json!({"id": id(1), "field": "title"})).await;
    assert_eq!(other["provenance"], Value::Null);
}

/// A stream of more events than are read in one step.
#[tokio::test]
async fn a_long_stream_is_followed_in_steps() {
    let api = api().await;
    let mut steps = vec![json!({}); 1_003];
    (steps[0], steps[499], steps[500]) = (json!({"title": 1}), json!({"title": 2}), json!({"title": 3}));
    (steps[999], steps[1_002]) = (json!({"worker": "w"}), json!({"error": "e"}));
    given(&api, &steps).await;
    for (field, version) in [("title", 501), ("worker", 1_000)] {
        let data = api.data("acme", QUERY, json!({"id": id(1), "field": field})).await;
        assert_eq!(data["provenance"]["version"], json!(version), "{field}");
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let api = api().await;
    given(&api, &[json!({"title": "a"}), json!({"title": "b"})]).await;
    let (_, answer) = api.ask("acme", QUERY, json!({"id": id(1), "field": "colour"})).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "invalid_query");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("`task_list`") && message.contains("progress_note"), "{message}");
    let queue = "{ provenance(table: QUEUE_DEPTH, id: \"a\", field: \"queued\") { version } }";
    assert_eq!(api.code("acme", queue, json!({})).await, "invalid_query");
    // The row is ahead of the journal, by one event at its end or in its middle: the answer could be wrong.
    let variables = json!({"id": id(1), "field": "title"});
    sqlx::query("UPDATE g1.task_list SET version = 3").execute(&api.writer).await.unwrap();
    assert_eq!(api.code("acme", QUERY, variables.clone()).await, "not_ready");
    insert(&api.writer, "event_journal", event("acme", 1, 4, 4, json!({}))).await;
    sqlx::query("UPDATE g1.task_list SET version = 4").execute(&api.writer).await.unwrap();
    assert_eq!(api.code("acme", QUERY, variables.clone()).await, "not_ready");
    insert(&api.writer, "event_journal", event("acme", 1, 3, 3, json!({"data": {"broken": 1}}))).await;
    assert_eq!(api.code("acme", QUERY, variables.clone()).await, "internal");
    sqlx::query("UPDATE g1.task_list SET version = 20001").execute(&api.writer).await.unwrap();
    assert_eq!(api.code("acme", QUERY, variables).await, "query_too_costly");
}

#[tokio::test]
async fn a_process_without_folds_says_so() {
    let api = Api::start().await;
    given(&api, &[json!({"title": "a"})]).await;
    assert_eq!(api.code("acme", QUERY, json!({"id": id(1), "field": "title"})).await, "unavailable");
}
