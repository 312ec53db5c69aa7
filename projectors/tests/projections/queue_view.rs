//! The view of a queue keeps the last ended tasks; the tasks themselves stay.

use migrations::{RECENTLY_ENDED_SQL, TaskListRow, query_pool};

use crate::equality::long;
use crate::fixture::Fixture;

/// TASK-14: of each kind the newest few, newest first; all of them are still in `task_list`.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_shows_its_last_ended_tasks() {
    let mut fixture = Fixture::new(2).await;
    fixture.append(&long(90, 2_500)).await;
    fixture.catch_up().await;
    let pool = query_pool(&fixture.url, 1).unwrap();
    let mut tx = migrations::begin(&pool, "BEGIN").await.unwrap();
    sqlx::query("SELECT set_config('gesta.tenant', 'acme', true)").execute(&mut *tx).await.unwrap();
    let query = sqlx::query_as(RECENTLY_ENDED_SQL).bind("acme").bind("default").bind(1_i64).bind(4_i64);
    let shown: Vec<TaskListRow> = query.fetch_all(&mut *tx).await.unwrap();
    let sql = "SELECT * FROM gesta.task_list WHERE queue = 'default' AND completed_at IS NOT NULL \
         ORDER BY completed_at DESC, id DESC";
    let ended: Vec<TaskListRow> = sqlx::query_as(sql).fetch_all(&mut *tx).await.unwrap();
    let newest = |succeeded: bool, keep: usize| {
        ended.iter().filter(move |row| (row.status == "succeeded") == succeeded).take(keep)
    };
    let mut expected: Vec<_> = newest(true, 1).chain(newest(false, 4)).cloned().collect();
    expected.sort_by_key(|row| std::cmp::Reverse((row.completed_at, row.id)));
    assert!(ended.len() > 5 && expected.len() == 5, "{} ended, {} expected", ended.len(), expected.len());
    assert_eq!(shown, expected);
}
