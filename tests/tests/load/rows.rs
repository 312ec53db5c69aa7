//! The rows that GraphQL shows against a fold of the published events that shares nothing with the product.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tests::published::Published;

use super::Run;

/// Tasks of one page, the most that a page may have.
const PAGE: u32 = 100;

const TASKS: &str = "query Tasks($after: String) {
  tasks(first: 100, after: $after, order: CREATED_ASC) {
    nodes { id queue priority state status version worker attempt progress retryCount staleTokens lease { fencingToken } }
    pageInfo { hasNextPage endCursor }
  }
}";

/// What is compared of one task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskRow {
    id: String,
    queue: String,
    priority: String,
    state: String,
    status: String,
    version: u64,
    worker: Option<String>,
    attempt: u64,
    progress: u64,
    retry_count: u64,
    stale_tokens: u64,
    lease: Option<Lease>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lease {
    fencing_token: u64,
}

/// Every task of the run, from read models that include every answer that a client got.
pub(crate) async fn all_tasks(run: &Run) -> Vec<TaskRow> {
    let token = run.reached().to_string();
    let (mut rows, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = page(run, &token, &after).await;
        let nodes: Vec<TaskRow> =
            serde_json::from_value(data["tasks"]["nodes"].clone()).expect("the form of the schema");
        assert!(nodes.len() <= PAGE as usize);
        rows.extend(nodes);
        let info = &data["tasks"]["pageInfo"];
        if info["hasNextPage"] != true {
            return rows;
        }
        after = info["endCursor"].clone();
    }
}

/// One page; the read models may need longer than one request waits to catch up.
async fn page(run: &Run, token: &str, after: &Value) -> Value {
    loop {
        let request = run.queries.post(&run.graphql).header("gesta-after", token);
        let answer = request.json(&json!({ "query": TASKS, "variables": { "after": after } })).send().await;
        let mut answer: Value = answer.expect("GraphQL answers").json().await.expect("GraphQL answers JSON");
        if answer["errors"].is_null() {
            return answer["data"].take();
        }
        let behind = answer["errors"][0]["extensions"]["code"] == "token_not_reached";
        assert!(behind, "{answer}");
        run.still_in_time("read models that include every answer");
    }
}

/// Every way in which `rows` and the fold of `log` differ, in words.
pub(crate) fn differences(log: &[Published], rows: &[TaskRow]) -> Vec<String> {
    let mut folded: BTreeMap<&str, TaskRow> = BTreeMap::new();
    for event in log {
        let Some(id) = event.subject.strip_prefix("task/") else { continue };
        let row = folded.entry(id).or_insert_with(|| new(id));
        fold(row, event);
    }
    let mut found = Vec::new();
    for row in rows {
        match folded.remove(row.id.as_str()) {
            Some(expected) if expected == *row => {}
            other => found.push(format!("the row {row:?}, the log {other:?}")),
        }
    }
    found.extend(folded.keys().map(|id| format!("task/{id} has no row")));
    found
}

fn new(id: &str) -> TaskRow {
    TaskRow {
        id: id.to_owned(),
        queue: String::new(),
        priority: String::new(),
        state: "PENDING".into(),
        status: String::new(),
        version: 0,
        worker: None,
        attempt: 0,
        progress: 0,
        retry_count: 0,
        stale_tokens: 0,
        lease: None,
    }
}

fn fold(row: &mut TaskRow, event: &Published) {
    let data = &event.data;
    row.version = event.version;
    match event.verb() {
        "created" => {
            row.queue = text(data, "queue");
            row.priority = text(data, "priority").to_uppercase();
        }
        "updated" if !data["priority"].is_null() => row.priority = text(data, "priority").to_uppercase(),
        "assigned" => {
            row.worker = Some(text(data, "worker"));
            row.attempt = data["attempt"].as_u64().expect("an attempt has a number");
            row.lease = Some(Lease { fencing_token: event.token().expect("a lease has a token").into() });
        }
        "progressed" => row.progress = data["progress"].as_u64().expect("progress is a number"),
        "succeeded" => row.progress = 100,
        "retry_scheduled" => row.retry_count += 1,
        "redriven" => row.attempt = 0,
        "stale_token_refused" => row.stale_tokens += 1,
        _ => {}
    }
    let state = match event.verb() {
        "queued" => "QUEUED",
        "assigned" => "ASSIGNED",
        "started" => "RUNNING",
        "retry_scheduled" => "RETRY_WAIT",
        "succeeded" => "SUCCEEDED",
        "failed" | "timed_out" => "FAILED",
        "cancelled" => "CANCELLED",
        "dead_lettered" => "DEAD_LETTERED",
        "discarded" => "DISCARDED",
        _ => &row.state.clone(),
    };
    (row.status, row.state) = (status(state).to_owned(), state.to_owned());
    // Nobody holds what waits, and its next attempt begins anew.
    if ["PENDING", "QUEUED", "RETRY_WAIT"].contains(&row.state.as_str()) {
        (row.worker, row.lease, row.progress) = (None, None, 0);
    }
}

/// The six public states (M-8).
fn status(state: &str) -> &str {
    match state {
        "PENDING" | "RETRY_WAIT" => "QUEUED",
        "DEAD_LETTERED" | "DISCARDED" => "FAILED",
        same => same,
    }
}

fn text(data: &Value, field: &str) -> String {
    data[field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod the_fold {
    use super::*;

    fn event(version: u64, verb: &str, data: &Value) -> Published {
        serde_json::from_value(json!({
            "id": version.to_string(), "type": format!("gesta.work.task.{verb}.v1"), "subject": "task/a",
            "aggregateversion": version, "position": format!("1.0.{version}.0"), "time": "2026-01-01T00:00:00.000Z",
            "idempotencykey": "k", "commandtype": "c", "tenantid": "t", "authtype": "user", "authid": "u",
            "correlationid": "k", "causationid": "k", "data": data,
        }))
        .unwrap()
    }

    #[test]
    fn a_row_that_is_not_the_fold_is_found() {
        let lease = json!({ "worker": "w", "attempt": 1, "fencing_token": 1 });
        let log = [
            event(1, "created", &json!({ "queue": "q", "priority": "low" })),
            event(2, "queued", &json!({})),
            event(3, "assigned", &lease),
            event(4, "progressed", &json!({ "progress": 7 })),
        ];
        let row = TaskRow {
            queue: "q".into(),
            priority: "LOW".into(),
            state: "ASSIGNED".into(),
            status: "ASSIGNED".into(),
            version: 4,
            worker: Some("w".into()),
            attempt: 1,
            progress: 7,
            lease: Some(Lease { fencing_token: 1 }),
            ..new("a")
        };
        assert_eq!(differences(&log, std::slice::from_ref(&row)), Vec::<String>::new());
        let damages: [fn(&mut TaskRow); 4] =
            [|r| r.version = 3, |r| r.worker = None, |r| r.progress = 6, |r| r.id = "b".into()];
        for damage in damages {
            let mut damaged = row.clone();
            damage(&mut damaged);
            assert!(!differences(&log, &[damaged]).is_empty());
        }
        assert_eq!(differences(&log, &[]).len(), 1, "a row that is missing");
    }
}
