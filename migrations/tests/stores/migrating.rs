use migrations::{check_version, known_version, migrate, query_pool};
use sqlx::PgPool;

use crate::database;

#[tokio::test]
async fn a_second_migration_does_nothing() {
    let url = database::empty().await;
    let first = migrate(&url).await.unwrap();
    assert_eq!((first.from, first.to, first.generation), (0, known_version(), 1));
    let last = first.applied.last().expect("a new database gets everything");
    assert!(first.applied.len() > 1 && last.starts_with("generation 1"), "and a generation: {first:?}");
    let second = migrate(&url).await.unwrap();
    assert_eq!((second.from, second.applied.len()), (known_version(), 0));
}

#[tokio::test]
async fn migrations_at_the_same_time_wait_for_each_other() {
    let url = database::empty().await;
    let all = futures_util::future::join_all((0..4).map(|_| migrate(&url))).await;
    let working = all.iter().filter(|report| !report.as_ref().unwrap().applied.is_empty());
    assert_eq!(working.count(), 1, "{all:?}");
}

#[tokio::test]
async fn databases_of_one_server_are_migrated_at_the_same_time() {
    let urls = futures_util::future::join_all((0..4).map(|_| database::empty())).await;
    let all = futures_util::future::join_all(urls.iter().map(|url| migrate(url))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
}

async fn pretend(url: &str, version: i64) {
    let mut conn = database::connect(url).await;
    let sql = "UPDATE gesta._sqlx_migrations SET version = $1 WHERE version = $2";
    sqlx::query(sql).bind(version).bind(known_version()).execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_its_version() {
    let url = database::migrated().await;
    pretend(&url, 4_711).await;
    let refused = migrate(&url).await.unwrap_err().to_string();
    assert!(refused.contains("version 4711") && refused.contains("newer release"), "{refused}");
    let refused = check_version(&query_pool(&url, 1).unwrap()).await.unwrap_err().to_string();
    assert!(refused.contains("version 4711") && refused.contains("Run that release"), "{refused}");
}

#[tokio::test]
async fn a_service_waits_for_an_older_schema() {
    let url = database::empty().await;
    let pool = PgPool::connect(&url).await.unwrap();
    let waiting = tokio::spawn(async move { check_version(&pool).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    migrate(&url).await.unwrap();
    waiting.await.unwrap().unwrap();
}

/// A database of an earlier release: its generation lacks a read model of this one.
#[tokio::test]
async fn a_read_model_that_a_generation_lacks_is_added() {
    let url = database::migrated().await;
    let mut conn = database::connect(&url).await;
    let earlier = "DROP TABLE g1.code_chunks CASCADE; \
         DELETE FROM gesta._sqlx_migrations WHERE version = (SELECT max(version) FROM gesta._sqlx_migrations)";
    sqlx::raw_sql(earlier).execute(&mut conn).await.unwrap();
    let report = migrate(&url).await.unwrap();
    assert_eq!((report.applied.len(), report.generation), (1, 1), "{report:?}");
    let mut tx = migrations::begin(&query_pool(&url, 1).unwrap(), "BEGIN").await.unwrap();
    sqlx::raw_sql("SELECT lexemes FROM gesta.code_chunks").execute(&mut *tx).await.unwrap();
}
