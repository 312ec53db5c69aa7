use serde_json::{Value, json};

use crate::api::Api;
use crate::rows::{applied, at};

/// A letter, given as the columns that differ from the defaults.
pub(crate) async fn letter(api: &Api, number: i64, with: Value) {
    let mut row = json!({"tenant": "acme", "generation": 1, "projection": "task_list", "shard": 0, "log_generation": 1,
        "log_offset": number, "event_index": 0, "stream": "acme/task/one", "version": number,
        "event_id": crate::rows::event_id("acme/task/one", number), "type": "gesta.work.task.flew.v1",
        "event": "{\"tenant\": \"acme\"}", "kind": "follower", "attempts": 0, "state": "parked", "redrive": false,
        "parked_at": at(number / 5)});
    row.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    let columns = row.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(", ");
    let sql = format!(
        "INSERT INTO gesta.dead_letters ({columns}) \
         SELECT {columns} FROM jsonb_populate_record(null::gesta.dead_letters, $1)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(row).execute(&api.writer).await.unwrap();
}

/// A decision about a letter of `acme`.
async fn discard(api: &Api, number: i64) {
    let sql = "INSERT INTO gesta.dead_letter_discards (tenant, id, projection, event_id, actor, at, reason) \
         SELECT tenant, id, projection, event_id, 'user/carol', parked_at, 'withdrawn' FROM gesta.dead_letters \
         WHERE tenant = 'acme' AND version = $1 AND generation = 1";
    sqlx::query(sql).bind(number).execute(&api.writer).await.unwrap();
}

/// PLAT-13, PLAT-44: a tenant sees what is parked of its own, by projection, stage, kind and state, with
/// the event and what is wrong with it; not that of another generation.
#[tokio::test]
async fn dead_letters_are_found() {
    let api = Api::start().await;
    let poison = json!({"kind": "poison", "stage": "upcast", "error": "revision 9 is unknown", "attempts": 2,
        "tried_at": at(99)});
    letter(&api, 1, poison.clone()).await;
    letter(&api, 2, json!({})).await;
    letter(&api, 1, json!({"projection": "event_journal", "state": "applied", "kind": "poison"})).await;
    letter(&api, 3, json!({"tenant": "other"})).await;
    letter(&api, 4, json!({"generation": 2})).await;
    discard(&api, 2).await;
    let query = "query($filter: DeadLetterFilter) { deadLetters(filter: $filter) { totalCount nodes { projection version } } }";
    let found = async |filter: Value| {
        let data = api.data("acme", query, json!({ "filter": filter })).await;
        let nodes = data["deadLetters"]["nodes"].as_array().unwrap().clone();
        assert_eq!(data["deadLetters"]["totalCount"], nodes.len());
        let names = nodes.iter().map(|n| format!("{} {}", n["projection"].as_str().unwrap(), n["version"]));
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    assert_eq!(found(json!({})).await, ["event_journal 1", "task_list 1", "task_list 2"]);
    assert_eq!(found(json!({"projection": ["event_journal"]})).await, ["event_journal 1"]);
    assert_eq!(found(json!({"stage": ["upcast"]})).await, ["task_list 1"]);
    assert_eq!(found(json!({"kind": ["FOLLOWER"]})).await, ["task_list 2"]);
    assert_eq!(found(json!({"state": ["PARKED"]})).await, ["task_list 1", "task_list 2"]);
    assert_eq!(found(json!({"stream": ["acme/task/two"]})).await, [""; 0]);
    assert_eq!(found(json!({"parkedBefore": at(0)})).await, [""; 0]);
    let query = "{ deadLetters(filter: {stage: [\"upcast\"]}) { nodes { id stream eventType commit kind stage error attempts
        state redrive shard offset parkedAt triedAt } } }";
    let data = api.data("acme", query, json!({})).await;
    let mut letter = data["deadLetters"]["nodes"][0].clone();
    let id = letter["id"].take();
    let expected = json!({"id": null, "stream": "acme/task/one", "eventType": "gesta.work.task.flew.v1",
        "commit": {"tenant": "acme"}, "kind": "POISON", "stage": "upcast", "error": "revision 9 is unknown", "attempts": 2,
        "state": "PARKED", "redrive": false, "shard": 0, "offset": 1, "parkedAt": at(0), "triedAt": at(99)});
    assert_eq!(letter, expected);
    let by_id = "query($id: ID!) { deadLetter(id: $id) { id error } }";
    let data = api.data("acme", by_id, json!({ "id": id })).await;
    assert_eq!(data["deadLetter"], json!({"id": id, "error": "revision 9 is unknown"}));
    let query = "{ deadLetters(filter: {kind: [FOLLOWER]}) { nodes { state discardedBy discardedAt discardReason } } }";
    let data = api.data("acme", query, json!({})).await;
    let expected = json!({"state": "PARKED", "discardedBy": "user/carol", "discardedAt": at(0), "discardReason": "withdrawn"});
    assert_eq!(data["deadLetters"]["nodes"][0], expected);
    let foreign = api.data("other", by_id, json!({ "id": id })).await;
    assert_eq!(foreign["deadLetter"], Value::Null);
}

/// PLAT-13: letters are written with the rows: an answer includes them as far as the read model that is furthest behind.
#[tokio::test]
async fn dead_letters_are_as_far_as_the_read_models() {
    let api = Api::start().await;
    let all = [
        "task_list",
        "task_attempts",
        "agent_list",
        "queue_depth",
        "repository_list",
        "source_file_list",
        "code_chunks",
        "state_transitions",
        "event_journal",
    ];
    let position = async |field: &str| {
        let (_, answer) = api.ask("acme", &format!("{{ {field} {{ totalCount }} }}"), json!({})).await;
        answer["extensions"]["position"].as_str().unwrap().to_owned()
    };
    applied(&api.writer, &all, 0, 3).await;
    let before = position("tasks").await;
    assert_eq!(position("deadLetters").await, before);
    applied(&api.writer, &all[..8], 0, 9).await;
    assert_ne!(position("tasks").await, before);
    assert_eq!(position("deadLetters").await, before, "the journal is not further");
}
