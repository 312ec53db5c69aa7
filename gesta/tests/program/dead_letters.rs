//! `gesta dlq`: what is parked is listed with its cause, and marked to be tried again.

use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::database::Database;
use crate::gesta::{run, text};

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
