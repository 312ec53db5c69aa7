use std::collections::BTreeSet;

use schemas::registry::{allowed_commands, transitions};
use serde_json::{Value, json};

use crate::api::Api;
use crate::rows::{agent, applied, at, event, event_id, id, insert, task};

/// TASK-4, TASK-22, TASK-23, AGENT-21, PLAT-18: a task with its parts, attempts, progress, agent and
/// history; `node(id)` finds whatever has an id.
#[tokio::test]
async fn a_task_shows_everything_about_it() {
    let api = Api::start().await;
    let row = json!({"state": "running", "status": "running", "worker": id(9), "progress": 40, "attempt": 2,
        "estimated_completion": at(99), "parent_id": id(2), "fencing_token": 2, "lease_id": id(70),
        "failure_stage": "timeout", "failure_reason": "lease_expired"});
    insert(&api.writer, "task_list", task("acme", 1, row)).await;
    insert(&api.writer, "task_list", task("acme", 2, json!({}))).await;
    insert(&api.writer, "task_list", task("acme", 3, json!({"parent_id": id(1)}))).await;
    insert(&api.writer, "agent_list", agent("acme", 9, json!({}))).await;
    for token in 1..=2 {
        let attempt = json!({"tenant": "acme", "task_id": id(1), "fencing_token": token, "attempt": token,
            "lease_id": id(68 + token as u64), "worker": "w", "state": "ended", "outcome": "lease_expired",
            "assigned_at": at(1), "lease_expires_at": at(2), "renewals": 0, "progress": 0, "version": 3,
            "event_id": event_id("x", token), "position": "1.0.1.0"});
        insert(&api.writer, "task_attempts", attempt).await;
    }
    for version in 1..=3 {
        insert(&api.writer, "event_journal", event("acme", 1, version, version, json!({}))).await;
    }
    let change = json!({"tenant": "acme", "aggregate_type": "task", "aggregate_id": id(1), "version": 2,
        "from_state": "queued", "to_state": "assigned", "event_type": "t", "command_type": "task.claim",
        "command_id": "c", "at": at(2), "actor": "agent/9", "correlation_id": "c", "event_id": event_id(&id(1), 2),
        "position": "1.0.2.0"});
    insert(&api.writer, "state_transitions", change).await;
    let query = "query($id: ID!) { task(id: $id) { id kind state status progress estimatedCompletion attempt
        lease { id fencingToken } failure { stage reason } payload parent { id } children { totalCount nodes { id } }
        attempts(first: 1) { fencingToken outcome } agent { id label }
        history { nodes { id version transition { from to } } } } }";
    let data = api.data("acme", query, json!({ "id": id(1) })).await;
    let expected = json!({"id": id(1), "kind": "inventory", "state": "RUNNING", "status": "RUNNING", "progress": 40,
        "estimatedCompletion": "2026-01-01T00:01:39+00:00", "attempt": 2, "lease": {"id": id(70), "fencingToken": 2},
        "failure": {"stage": "timeout", "reason": "lease_expired"}, "payload": {"n": 1}, "parent": {"id": id(2)},
        "children": {"totalCount": 1, "nodes": [{"id": id(3)}]},
        "attempts": [{"fencingToken": 2, "outcome": "lease_expired"}], "agent": {"id": id(9), "label": "agent 9"},
        "history": {"nodes": [
            {"id": event_id(&id(1), 1), "version": 1, "transition": null},
            {"id": event_id(&id(1), 2), "version": 2, "transition": {"from": "queued", "to": "assigned"}},
            {"id": event_id(&id(1), 3), "version": 3, "transition": null}]}});
    assert_eq!(data["task"], expected);
    for (node, name) in [(id(1), "Task"), (id(9), "Agent"), (event_id(&id(1), 3), "Event")] {
        let data = api
            .data("acme", "query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": node }))
            .await;
        assert_eq!(data["node"], json!({"__typename": name, "id": node}));
    }
    for nothing in [id(77), "junk".into(), String::new()] {
        let data = api.data("acme", query, json!({ "id": nothing })).await;
        assert_eq!(data["task"], Value::Null);
    }
}

/// PLAT-17: in every stage of its life a row names the commands that the transition table allows a client.
#[tokio::test]
async fn a_row_names_the_commands_that_its_state_allows() {
    let api = Api::start().await;
    for (field, list, column) in [("task", "task_list", "state"), ("agent", "agent_list", "lifecycle_state")]
    {
        let rows = transitions(field).iter().flat_map(|row| [row.from, row.to]);
        let stages: BTreeSet<_> = rows.filter(|stage| *stage != "-").collect();
        for (number, stage) in (1..).zip(stages) {
            let row = if field == "task" { task } else { agent };
            insert(&api.writer, list, row("acme", number, json!({ column: stage }))).await;
            let query = format!("query($id: ID!) {{ {field}(id: $id) {{ allowedCommands }} }}");
            let data = api.data("acme", &query, json!({ "id": id(number) })).await;
            assert_eq!(data[field]["allowedCommands"], json!(allowed_commands(field, stage)), "{stage}");
        }
    }
    let query = "query($task: ID!, $agent: ID!) { task(id: $task) { state allowedCommands } agent(id: $agent) { state allowedCommands } }";
    let data = api.data("acme", query, json!({"task": id(1), "agent": id(1)})).await;
    let task = json!({"state": "ASSIGNED", "allowedCommands": ["task.start", "task.renew", "task.release", "task.cancel"]});
    let agent = json!({"state": "CLEANING_UP", "allowedCommands": ["agent.finish_cleanup", "agent.fail_cleanup",
        "agent.kill", "agent.archive", "agent.drain", "agent.declare_capabilities", "agent.heartbeat"]});
    assert_eq!(data, json!({"task": task, "agent": agent}), "the shard's own commands are not offered");
}

/// TASK-25, PLAT-42: queues are added over shards; projections show their lag.
#[tokio::test]
async fn queues_and_projections_show_their_figures() {
    let api = Api::start().await;
    for shard in 0..2 {
        let mut row = json!({"tenant": "acme", "queue": "a", "shard": shard, "updated_at": at(3), "version": 1,
            "event_id": event_id("q", shard), "position": "1.0.1.0"});
        for state in [
            "pending",
            "queued",
            "assigned",
            "running",
            "retry_wait",
            "succeeded",
            "failed",
            "dead_lettered",
            "discarded",
            "cancelled",
            "compensating",
            "compensated",
            "compensation_failed",
        ] {
            row[state] = json!(if state == "queued" { 3 } else { 1 });
        }
        insert(&api.writer, "queue_depth", row).await;
    }
    for (number, since) in [(1, 20), (2, 10)] {
        insert(
            &api.writer,
            "task_list",
            task("acme", number, json!({"queue": "a", "enqueued_at": at(since)})),
        )
        .await;
    }
    applied(&api.writer, &["task_list"], 0, 10).await;
    applied(&api.writer, &["task_list"], 1, 5).await;
    sqlx::query(
        "UPDATE gesta.projections SET head_offset = 8, state = 'stopped', error = 'why' WHERE shard = 1",
    )
    .execute(&api.writer)
    .await
    .unwrap();
    let query = "{ queues { nodes { name depth running oldestWaitingSince } }
        projections { name state lagRecords shards { shard nextOffset headOffset lagRecords state error } } }";
    let data = api.data("acme", query, json!({})).await;
    let queue =
        json!({"name": "a", "depth": 6, "running": 2, "oldestWaitingSince": "2026-01-01T00:00:10+00:00"});
    assert_eq!(data["queues"]["nodes"], json!([queue]));
    let shards = json!([
        {"shard": 0, "nextOffset": 10, "headOffset": 10, "lagRecords": 0, "state": "running", "error": null},
        {"shard": 1, "nextOffset": 5, "headOffset": 8, "lagRecords": 3, "state": "stopped", "error": "why"}]);
    let projection = json!({"name": "task_list", "state": "stopped", "lagRecords": 3, "shards": shards});
    assert_eq!(data["projections"], json!([projection]));
}

/// PLAT-7: from an event to its whole tree of causes and effects, and from a row to its event, command
/// and issuer.
#[tokio::test]
async fn causes_are_found() {
    let api = Api::start().await;
    let first = event_id(&id(1), 1);
    let chain = [
        event("acme", 1, 1, 1, json!({"command_id": "root", "correlation_id": "c", "causation_id": "click"})),
        event("acme", 1, 2, 1, json!({"command_id": "root", "correlation_id": "c", "event_index": 1})),
        event("acme", 2, 1, 2, json!({"command_id": "then", "correlation_id": "c", "causation_id": first})),
    ];
    for row in chain {
        insert(&api.writer, "event_journal", row).await;
    }
    insert(&api.writer, "task_list", task("acme", 1, json!({"version": 2, "event_id": event_id(&id(1), 2)})))
        .await;
    let query = "query($id: String!) { causation(id: $id) { correlationId eventCount truncated
        steps { id kind depth causeId } roots { id effects { id effects { id } } } } }";
    let mut answers = Vec::new();
    for start in ["c", "root", "then", first.as_str()] {
        answers.push(api.data("acme", query, json!({ "id": start })).await["causation"].clone());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "any id of the tree leads to it");
    let (second, third) = (event_id(&id(1), 2), event_id(&id(2), 1));
    let steps = json!([
        {"id": "root", "kind": "COMMAND", "depth": 0, "causeId": null},
        {"id": first, "kind": "EVENT", "depth": 1, "causeId": "root"},
        {"id": "then", "kind": "COMMAND", "depth": 2, "causeId": first},
        {"id": third, "kind": "EVENT", "depth": 3, "causeId": "then"},
        {"id": second, "kind": "EVENT", "depth": 1, "causeId": "root"}]);
    assert_eq!(answers[0]["steps"], steps);
    assert_eq!(answers[0]["roots"][0]["effects"][0]["effects"][0]["id"], "then");
    assert_eq!(api.data("acme", query, json!({ "id": "nothing" })).await["causation"], Value::Null);
    let query = "query($id: ID!) { provenance(table: TASK_LIST, id: $id) { version event { commandId actor correlationId } } }";
    let data = api.data("acme", query, json!({ "id": id(1) })).await;
    let event = json!({"commandId": "root", "actor": "user/alice", "correlationId": "c"});
    assert_eq!(data["provenance"], json!({"version": 2, "event": event}));
    assert_eq!(api.data("acme", query, json!({ "id": id(5) })).await["provenance"], Value::Null);
}
