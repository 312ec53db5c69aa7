//! What stops every projection, and that nothing is left of it when it is repaired.

use projectors::Options;

use crate::equality::long;
use crate::fixture::{DEADLINE, Fixture};

/// How a projection stands in the table: state and error of every shard.
async fn shown(fixture: &Fixture) -> Vec<(String, String, Option<String>)> {
    let sql = "SELECT name, state, error FROM gesta.projections ORDER BY name";
    sqlx::query_as(sql).fetch_all(&fixture.pool).await.unwrap()
}

/// A database whose rows came from another log stops every projection, and says what to do; with its own
/// log again nothing is left of it, though there is nothing to apply.
#[tokio::test(flavor = "multi_thread")]
async fn a_repaired_cause_leaves_no_mark() {
    let mut fixture = Fixture::new(1).await;
    fixture.append(&long(9, 100)).await;
    fixture.catch_up().await;
    let other = fixture.beside(&Fixture::new(1).await);
    let running = other.start(Options::default());
    let stopped = async {
        while !shown(&fixture).await.iter().all(|(_, state, _)| state == "stopped") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, stopped).await.expect("they stop");
    running.stop().await;
    for (name, _, error) in shown(&fixture).await {
        let error = error.unwrap_or_default();
        assert!(error.contains("another log") && error.contains("GESTA_POSTGRES_URL"), "{name}: {error}");
    }
    fixture.catch_up().await;
    for (name, state, error) in shown(&fixture).await {
        assert_eq!((state.as_str(), error), ("running", None), "{name}");
    }
}
