//! `gesta dlq`: what is parked is listed with its cause, and marked to be tried again.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::database::Database;
use crate::gesta::{Gesta, run, text, until};

const STREAM: &str = "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd";

async fn parked(url: &str) {
    let sql = "INSERT INTO gesta.dead_letters (tenant, generation, projection, shard, log_generation, log_offset, \
           event_index, stream, version, event_id, type, event, kind, stage, error, attempts) \
         SELECT 'acme', 1, projection, 0, 1, log_offset, 0, $1, log_offset, gen_random_uuid(), 'gesta.work.task.flew.v1', \
           '{}', CASE log_offset WHEN 7 THEN 'poison' ELSE 'follower' END, CASE log_offset WHEN 7 THEN 'decode-header' END, \
           CASE log_offset WHEN 7 THEN 'unknown to this release' END, CASE log_offset WHEN 7 THEN 1 ELSE 0 END \
         FROM UNNEST(ARRAY['task_list', 'event_journal']) AS projection, generate_series(7, 8) AS log_offset";
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(sql).bind(STREAM).execute(&mut connection).await.unwrap();
}

async fn wanted(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sql = "SELECT count(*) FROM gesta.dead_letters WHERE redrive";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// PLAT-13: an operator sees each letter with stage, reason and event, and redrives those of one projection.
#[tokio::test]
async fn letters_are_listed_and_redriven() {
    let database = Database::new().await;
    let url = database.url();
    migrations::migrate(&url).await.unwrap();
    let of_journal = ["--projection", "event_journal", "--postgres-url", url.as_str()];
    let list = [&["dlq", "list", "--output", "json"], of_journal.as_slice()].concat();
    let nothing = run(&list).await;
    assert_eq!(text(&nothing.stdout).trim(), "[]", "{}", text(&nothing.stderr));
    parked(&url).await;
    let listed: Value = serde_json::from_str(&text(&run(&list).await.stdout)).unwrap();
    let of = |pointer: &str| [listed[0].pointer(pointer).cloned(), listed[1].pointer(pointer).cloned()];
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(of("/kind"), [Some("poison".into()), Some("follower".into())]);
    assert_eq!(of("/stage"), [Some("decode-header".into()), Some(Value::Null)]);
    assert_eq!(of("/stream"), [Some(STREAM.into()), Some(STREAM.into())]);
    let show = async |id: &str| run(&["dlq", "show", id, "--output", "json", "--postgres-url", &url]).await;
    let shown = show(listed[0]["id"].as_str().unwrap()).await;
    let letter: Value = serde_json::from_str(&text(&shown.stdout)).unwrap();
    assert_eq!((&letter["eventId"], &letter["event"]), (&listed[0]["eventId"], &serde_json::json!({})));
    let none = show(listed[0]["eventId"].as_str().unwrap()).await;
    assert!(
        !none.status.success() && text(&none.stderr).contains("there is no dead letter"),
        "{}",
        text(&none.stderr)
    );
    let dry =
        run(&[&["dlq", "redrive", "--dry-run", "--output", "json"], of_journal.as_slice()].concat()).await;
    assert!(text(&dry.stdout).contains("unknown to this"), "{}", text(&dry.stdout));
    assert_eq!(wanted(&url).await, 0);
    let redriven = run(&[&["dlq", "redrive"], of_journal.as_slice()].concat()).await;
    assert!(text(&redriven.stdout).starts_with("2 letters"), "{}", text(&redriven.stderr));
    assert_eq!(wanted(&url).await, 2);
}

/// PLAT-13: a row that Postgres refuses is parked by the running service; `gesta dlq discard` is a command, so the
/// decision is an event with its actor, and the letter says who gave it up and why. A second time is refused by name.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_discarded() {
    let (data, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let url = database.url();
    migrations::migrate(&url).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let refuse = "ALTER TABLE g1.task_list ADD CONSTRAINT refused CHECK (title <> 'poison')";
    sqlx::raw_sql(refuse).execute(&mut connection).await.unwrap();
    let gesta = Gesta::start(data.path(), &url).await;
    gesta.task(json!({"type": "inventory", "title": "poison"})).await;
    let query = "{ deadLetters { nodes { id kind projection state stage discardedBy discardReason discardEventId } } }";
    let letters = async || gesta.query(query).await["deadLetters"]["nodes"].as_array().unwrap().clone();
    let id = until("it is parked", || async {
        letters().await.iter().find(|l| l["kind"] == "POISON").map(|l| l["id"].as_str().unwrap().to_owned())
    })
    .await;
    let discard = async |reason: &str| {
        let connection =
            ["--actor", "user/carol", "--url", gesta.url.as_str(), "--postgres-url", url.as_str()];
        run(&[&["dlq", "discard", &id, "--output", "json", "--reason", reason], &connection[..]].concat())
            .await
    };
    let nameless = discard("").await;
    assert!(text(&nameless.stderr).contains("reason"), "{}", text(&nameless.stderr));
    let done = discard("withdrawn").await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    until("it is discarded", || async {
        letters().await.iter().all(|letter| letter["state"] != "PARKED").then_some(())
    })
    .await;
    let head = letters().await.into_iter().find(|letter| letter["id"] == id.as_str()).unwrap();
    assert_eq!((&head["state"], &head["stage"]), (&json!("DISCARDED"), &json!("write")));
    assert_eq!((&head["discardedBy"], &head["discardReason"]), (&json!("user/carol"), &json!("withdrawn")));
    let events = gesta.query("{ events { nodes { id type actor } } }").await;
    let events = events["events"]["nodes"].as_array().unwrap();
    let event = events.iter().find(|event| event["id"] == head["discardEventId"]).unwrap();
    let expected = ("gesta.operations.dead_letter.discarded.v1", "user/carol");
    assert_eq!((event["type"].as_str().unwrap(), event["actor"].as_str().unwrap()), expected);
    let again = discard("again").await;
    assert!(text(&again.stderr).contains("discarded already"), "{}", text(&again.stderr));
    assert_eq!(gesta.stop().await, Some(0));
}
