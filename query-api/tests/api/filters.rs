use serde_json::{Value, json};

use crate::api::Api;
use crate::rows::{agent, at, event, event_id, id, insert, repository, source_file, task};

async fn ids(api: &Api, field: &str, filter: &str) -> Vec<String> {
    let query = format!("{{ {field}(filter: {filter}) {{ totalCount nodes {{ id }} }} }}");
    let data = api.data("acme", &query, json!({})).await;
    let page = &data[field];
    let mut ids: Vec<_> = page["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(page["totalCount"], json!(ids.len()), "{filter}");
    ids.sort();
    ids
}

fn expected(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// TASK-1, TASK-4: every part of the filter on tasks narrows what is listed.
#[tokio::test]
async fn tasks_are_filtered() {
    let api = Api::start().await;
    let rows: [(u64, Value); 6] = [
        (1, json!({"queue": "a", "state": "pending"})),
        (2, json!({"queue": "a", "state": "running", "status": "running", "worker": "w-1"})),
        (3, json!({"queue": "b", "state": "retry_wait", "priority": "critical", "parent_id": id(1)})),
        (
            4,
            json!({"queue": "b", "state": "succeeded", "status": "succeeded", "worker": "w-2", "type": "index"}),
        ),
        (
            5,
            json!({"queue": "c", "state": "dead_lettered", "status": "failed", "priority": "low", "parent_id": id(1)}),
        ),
        (6, json!({"queue": "c", "state": "cancelled", "status": "cancelled", "correlation_id": "special"})),
    ];
    for (number, with) in rows {
        insert(&api.writer, "task_list", task("acme", number, with)).await;
    }
    for (filter, numbers) in [
        ("{}".to_owned(), &[1, 2, 3, 4, 5, 6][..]),
        ("{status: QUEUED}".into(), &[1, 3]),
        ("{status: [FAILED, RUNNING]}".into(), &[2, 5]),
        ("{state: DEAD_LETTERED}".into(), &[5]),
        ("{queue: [\"a\", \"b\"], priority: NORMAL}".into(), &[1, 2, 4]),
        ("{kind: \"index\"}".into(), &[4]),
        ("{worker: [\"w-1\", \"w-2\"]}".into(), &[2, 4]),
        (format!("{{parentId: \"{}\"}}", id(1)), &[3, 5]),
        ("{correlationId: \"special\"}".into(), &[6]),
        (format!("{{createdAfter: \"{}\", createdBefore: \"{}\"}}", at(2), at(4)), &[2, 3]),
        ("{queue: [], status: RUNNING}".into(), &[]),
        ("{queue: \"a' OR 1=1 --\"}".into(), &[]),
    ] {
        assert_eq!(ids(&api, "tasks", &filter).await, expected(numbers), "{filter}");
    }
    assert_eq!(
        api.code("acme", "{ tasks(filter: {parentId: \"x\"}) { nodes { id } } }", json!({})).await,
        "invalid_query"
    );
    assert_eq!(
        api.code("acme", "{ tasks(filter: {status: NOPE}) { nodes { id } } }", json!({})).await,
        "invalid_query"
    );
    let many = json!({ "q": vec!["x"; 101] });
    let query = "query($q: [String!]) { tasks(filter: {queue: $q}) { nodes { id } } }";
    assert_eq!(api.code("acme", query, many).await, "invalid_query");
}

/// AGENT-10, AGENT-12: the query of agents, and their figures; an idle one that holds a lease is busy.
#[tokio::test]
async fn agents_are_filtered_and_counted() {
    let api = Api::start().await;
    let rows: [(u64, Value); 6] = [
        (1, json!({"model": "m-1", "labels": ["x", "y"]})),
        (2, json!({"model": "m-2", "labels": ["x"], "team_id": id(90)})),
        (
            3,
            json!({"kind": "research", "lifecycle_state": "paused", "status": "paused", "availability": "draining"}),
        ),
        (
            4,
            json!({"lifecycle_state": "failed", "status": "failed", "availability": "offline", "completed_at": at(50)}),
        ),
        (5, json!({"availability": "offline"})),
        (6, json!({"archived": true, "lifecycle_state": "killed", "status": "killed"})),
    ];
    for (number, with) in rows {
        insert(&api.writer, "agent_list", agent("acme", number, with)).await;
    }
    let held = json!({"state": "running", "status": "running", "worker": id(1)});
    insert(&api.writer, "task_list", task("acme", 50, held)).await;
    let done = json!({"state": "succeeded", "status": "succeeded", "worker": format!("agent/{}", id(2))});
    insert(&api.writer, "task_list", task("acme", 51, done)).await;
    for (filter, numbers) in [
        ("{}".to_owned(), &[1, 2, 3, 4, 5][..]),
        ("{archived: true}".into(), &[6]),
        ("{status: [PAUSED, FAILED]}".into(), &[3, 4]),
        ("{state: EXECUTING}".into(), &[1, 2, 5]),
        (format!("{{teamId: \"{}\"}}", id(90)), &[2]),
        ("{model: \"m-1\"}".into(), &[1]),
        ("{labels: \"x\"}".into(), &[1, 2]),
        ("{labels: [\"x\", \"y\"]}".into(), &[1]),
        ("{kind: RESEARCH}".into(), &[3]),
        ("{availability: BUSY}".into(), &[1]),
        ("{availability: IDLE}".into(), &[2]),
        ("{availability: [DRAINING, OFFLINE]}".into(), &[3, 4, 5]),
        (format!("{{createdAfter: \"{}\", createdBefore: \"{}\"}}", at(2), at(4)), &[2, 3]),
    ] {
        assert_eq!(ids(&api, "agents", &filter).await, expected(numbers), "{filter}");
    }
    let query = "{ agentStats { total running paused failed killed idle busy draining offline }
        agents { nodes { id availability leases runtimeSeconds tasks { nodes { id } } } } }";
    let data = api.data("acme", query, json!({})).await;
    let stats = json!({"total": 5, "running": 3, "paused": 1, "failed": 1, "killed": 0, "idle": 1, "busy": 1, "draining": 1, "offline": 1});
    assert_eq!(data["agentStats"], stats);
    let first = &data["agents"]["nodes"][4];
    let busy = json!({"id": id(1), "availability": "BUSY", "leases": 1, "runtimeSeconds": 1.5, "tasks": {"nodes": [{"id": id(50)}]}});
    assert_eq!(*first, busy);
    assert_eq!(data["agents"]["nodes"][3]["availability"], "IDLE", "a lease that ended does not count");
    assert_eq!(data["agents"]["nodes"][3]["tasks"]["nodes"][0]["id"], json!(id(51)));
}

/// PLAT-1, PLAT-24: every part of the filter on events narrows what is listed.
#[tokio::test]
async fn events_are_filtered() {
    let api = Api::start().await;
    let rows: [(i64, Value); 5] = [
        (1, json!({"type": "gesta.work.task.created.v1", "correlation_id": "c", "command_id": "k"})),
        (2, json!({"causation_id": "cause", "actor_type": "agent", "actor_id": "9", "agent_id": "9"})),
        (3, json!({"aggregate_type": "agent", "team_id": id(80)})),
        (4, json!({"shard": 3, "task_id": id(50)})),
        (5, json!({})),
    ];
    for (number, with) in rows {
        insert(&api.writer, "event_journal", event("acme", number as u64, 1, number, with)).await;
    }
    for (filter, numbers) in [
        ("{}".to_owned(), &[1, 2, 3, 4, 5][..]),
        ("{types: \"gesta.work.task.created.v1\"}".into(), &[1]),
        ("{aggregateType: [\"agent\", \"none\"]}".into(), &[3]),
        (format!("{{aggregateId: \"{}\"}}", id(5)), &[5]),
        ("{correlationId: \"c\", commandId: \"k\"}".into(), &[1]),
        ("{causationId: \"cause\"}".into(), &[2]),
        ("{agentId: \"9\"}".into(), &[2]),
        ("{actorType: \"agent\", actorId: \"9\"}".into(), &[2]),
        (format!("{{teamId: \"{}\"}}", id(80)), &[3]),
        (format!("{{taskId: \"{}\"}}", id(50)), &[4]),
        ("{shard: 3}".into(), &[4]),
        (format!("{{since: \"{}\", until: \"{}\"}}", at(2), at(4)), &[2, 3]),
    ] {
        let query = format!("{{ events(filter: {filter}, order: TIME_ASC) {{ nodes {{ id }} }} }}");
        let data = api.data("acme", &query, json!({})).await;
        let expected: Vec<_> =
            numbers.iter().map(|number| json!({"id": event_id(&id(*number), 1)})).collect();
        assert_eq!(data["events"]["nodes"], json!(expected), "{filter}");
    }
}

/// KNOW-1, KNOW-7: repositories and their files are listed by what they are.
#[tokio::test]
async fn repositories_and_source_files_are_filtered() {
    let api = Api::start().await;
    insert(&api.writer, "repository_list", repository("acme", 1, json!({"name": "gesta"}))).await;
    insert(&api.writer, "repository_list", repository("acme", 2, json!({"state": "retired"}))).await;
    insert(&api.writer, "repository_list", repository("other", 3, json!({"name": "gesta"}))).await;
    for (filter, numbers) in
        [("{}", &[1, 2][..]), ("{name: \"gesta\"}", &[1]), ("{state: RETIRED}", &[2]), ("{name: \"x\"}", &[])]
    {
        assert_eq!(ids(&api, "repositories", filter).await, expected(numbers), "{filter}");
    }
    insert(&api.writer, "source_file_list", source_file("acme", 4, json!({}))).await;
    insert(&api.writer, "source_file_list", source_file("acme", 5, json!({"language": "go"}))).await;
    let removed = json!({"repository_id": id(2), "state": "removed", "chunks": 0});
    insert(&api.writer, "source_file_list", source_file("acme", 6, removed)).await;
    for (filter, numbers) in [
        ("{}".to_owned(), &[4, 5, 6][..]),
        (format!("{{repositoryId: \"{}\"}}", id(1)), &[4, 5]),
        ("{state: REMOVED}".into(), &[6]),
        ("{language: [\"go\", \"java\"]}".into(), &[5]),
        ("{path: \"src/4.rs\"}".into(), &[4]),
    ] {
        assert_eq!(ids(&api, "sourceFiles", &filter).await, expected(numbers), "{filter}");
    }
    let one = api.data(
        "acme",
        "query($id: ID!) { repository(id: $id) { name state allowedCommands } }",
        json!({"id": id(1)}),
    );
    let expected = json!({"name": "gesta", "state": "REGISTERED", "allowedCommands": ["repository.retire"]});
    assert_eq!(one.await["repository"], expected);
}
