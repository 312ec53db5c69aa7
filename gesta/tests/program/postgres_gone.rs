//! Postgres missing at the start, gone in the middle, back again: commands go on all the time.

use serde_json::json;

use crate::database::{Database, Gate};
use crate::gesta::Gesta;

/// PLAT-26
#[tokio::test(flavor = "multi_thread")]
async fn commands_go_on_without_postgres_and_the_read_models_catch_up() {
    let (data, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let gate = Gate::closed(&database).await;
    let gesta = Gesta::start(data.path(), &database.url_through(&gate)).await;
    let task = |title: &'static str| json!({ "type": "note", "title": title });

    let first = gesta.task(task("while Postgres is missing")).await;
    let parts = gesta.ready(false).await;
    assert_ne!(parts["postgres"]["state"], "ready", "{parts}");

    gate.set(true);
    gesta.task_in(&first, "QUEUED").await;
    gesta.ready(true).await;

    gate.set(false);
    let second = gesta.task(task("while Postgres is gone")).await;
    let parts = gesta.ready(false).await;
    assert!(parts.to_string().contains("failing"), "it was ready before: {parts}");

    gate.set(true);
    gesta.task_in(&second, "QUEUED").await;
    gesta.ready(true).await;
    assert_eq!(gesta.stop().await, Some(0));
}
