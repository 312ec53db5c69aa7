//! At least once: what may come again, and what never goes missing.

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::deployment::{Deployment, ids, repeats};
use crate::support::eventually::eventually;

/// PLAT-1: a publisher is killed between its sends and its cursor: some events come again under the same ids, per key
/// in order once they are dropped; then the topics are dropped, and published again with the same ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_sending_and_the_cursor_repeats_events_and_loses_none() {
    let deployment = Deployment::new().await;
    let gesta = deployment.start().await;
    let api = gesta.api();
    api.create("killed", json!({})).await;
    deployment.complete(&api).await;

    // Whoever holds the rows of the cursors keeps the publisher from moving them.
    let mut holder = PgConnection::connect(&deployment.database.url).await.unwrap();
    holder.execute("BEGIN").await.unwrap();
    holder.execute("SELECT * FROM gesta.projections WHERE name = 'publisher' FOR UPDATE").await.unwrap();
    for _ in 0..6 {
        api.create("killed", json!({})).await;
    }
    eventually("events without a cursor", async || deployment.python(), |records| records.len() > 2).await;
    gesta.kill();
    holder.execute("ROLLBACK").await.unwrap();

    let gesta = deployment.start().await;
    let api = gesta.api().as_tenant(&api.tenant);
    for _ in 0..3 {
        api.create("killed", json!({})).await;
    }
    let records = deployment.complete(&api).await;
    assert_eq!(ids(&records).len(), 20, "two events for each of ten tasks");
    assert!(repeats(&records) > 0, "what was sent before the kill was sent again");

    assert!(gesta.stop().success());
    deployment.delete(&deployment.topics());
    let gesta = deployment.start().await;
    let api = gesta.api().as_tenant(&api.tenant);
    let again = deployment.complete(&api).await;
    assert_eq!(ids(&again), ids(&records));
    assert_eq!((again.len(), repeats(&again)), (20, 0), "published once more from the beginning");
}

/// PLAT-1: two publishers at once lose nothing and disturb no order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_publishers_at_once_are_harmless() {
    let deployment = Deployment::new().await;
    let gesta = deployment.start().await;
    let api = gesta.api();
    let second = deployment.projectors();
    for _ in 0..40 {
        api.create("two", json!({})).await;
    }
    let records = deployment.complete(&api).await;
    assert_eq!(ids(&records).len(), 80);
    repeats(&records);
    drop(second);
}
