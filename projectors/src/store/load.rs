//! Loading rows.

use migrations::table::Table;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use crate::projection::KeyArray;

/// The current rows of many keys, in one query.
pub(crate) async fn current<R>(
    conn: &mut PgConnection,
    table: &Table<R>,
    schema: &str,
    keys: Vec<KeyArray>,
) -> Result<Vec<R>, sqlx::Error>
where
    R: Send + Unpin + for<'r> FromRow<'r, PgRow>,
{
    let mut query = sqlx::query_as(AssertSqlSafe(table.load_sql(schema)));
    for array in keys {
        query = match array {
            KeyArray::Text(texts) => query.bind(texts),
            KeyArray::Uuid(ids) => query.bind(ids),
            KeyArray::Integer(numbers) => query.bind(numbers),
        };
    }
    query.fetch_all(conn).await
}
