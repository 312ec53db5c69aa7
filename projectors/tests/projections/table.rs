//! Whole tables, compared in all columns.

use migrations::shapes;
use sqlx::{AssertSqlSafe, PgPool};

/// Every row of every table of a generation as JSON, in the order of the key. No column is left out.
pub(crate) async fn dump(pool: &PgPool, schema: &str) -> Vec<(&'static str, Vec<String>)> {
    let mut tables = Vec::new();
    for shape in shapes(schema) {
        let sql = format!(
            "SELECT row_to_json(t)::text FROM {schema}.{} AS t ORDER BY {}",
            shape.name,
            shape.key.join(", ")
        );
        let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
        tables.push((shape.name, rows));
    }
    tables
}

/// Fails at the first row that differs.
pub(crate) fn assert_equal(left: &[(&'static str, Vec<String>)], right: &[(&'static str, Vec<String>)]) {
    for ((name, left), (_, right)) in left.iter().zip(right) {
        for (l, r) in left.iter().zip(right) {
            assert_eq!(l, r, "a row of {name}");
        }
        assert_eq!(left.len(), right.len(), "rows of {name}");
    }
}
