//! Upserting the rows of a batch.

use std::sync::Arc;

use migrations::table::{Column, Get, Table};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};

use super::{COPY_FROM_ROWS, binary, clean, jsonb::Jsonb};

/// Bytes that are handed to a `COPY` at once.
const COPY_CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of rows that go into one statement of arrays; more are split.
const MAX_ARRAYS_BYTES: usize = 16 * 1024 * 1024;

/// Writes rows that are sorted by their key: in arrays when they are few, by `COPY` when they are many.
pub(crate) async fn write<R>(
    conn: &mut PgConnection,
    table: &Table<R>,
    schema: &str,
    rows: &[Arc<R>],
) -> Result<(), sqlx::Error> {
    if rows.len() >= COPY_FROM_ROWS {
        return copy(conn, table, schema, rows).await;
    }
    let sql = table.unnest_sql(schema);
    for rows in chunks(table, rows) {
        let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
        for column in table.columns {
            query = bind(query, column, rows);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Cuts rows so that no statement grows without bound.
fn chunks<'a, R>(table: &Table<R>, mut rows: &'a [Arc<R>]) -> Vec<&'a [Arc<R>]> {
    let mut chunks = Vec::new();
    while !rows.is_empty() {
        let mut bytes = 0;
        let fits = |row: &&Arc<R>| {
            bytes += table.weight(row);
            bytes <= MAX_ARRAYS_BYTES
        };
        let count = rows.iter().take_while(fits).count().max(1);
        let (chunk, rest) = rows.split_at(count);
        chunks.push(chunk);
        rows = rest;
    }
    chunks
}

fn bind<'q, R>(
    query: Query<'q, Postgres, PgArguments>,
    column: &Column<R>,
    rows: &[Arc<R>],
) -> Query<'q, Postgres, PgArguments> {
    match &column.get {
        Get::Text(get) => {
            let texts = rows.iter().map(|row| get(row).map(|text| clean::text(text).into_owned()));
            query.bind(texts.collect::<Vec<Option<String>>>())
        }
        Get::BigInt(get) => query.bind(rows.iter().map(|row| get(row)).collect::<Vec<_>>()),
        Get::Integer(get) => query.bind(rows.iter().map(|row| get(row)).collect::<Vec<_>>()),
        Get::Boolean(get) => query.bind(rows.iter().map(|row| get(row)).collect::<Vec<_>>()),
        Get::Instant(get) => query.bind(rows.iter().map(|row| get(row)).collect::<Vec<_>>()),
        Get::Uuid(get) => query.bind(rows.iter().map(|row| get(row)).collect::<Vec<_>>()),
        Get::Json(get) => {
            let texts =
                rows.iter().map(|row| get(row).map(|json| Jsonb(clean::json(json.text()).into_owned())));
            query.bind(texts.collect::<Vec<_>>())
        }
    }
}

async fn copy<R>(
    conn: &mut PgConnection,
    table: &Table<R>,
    schema: &str,
    rows: &[Arc<R>],
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(table.stage_sql(schema))).execute(&mut *conn).await?;
    let mut copy = conn.copy_in_raw(&table.copy_sql(schema)).await?;
    let mut bytes = binary::HEADER.to_vec();
    for row in rows {
        binary::row(table.columns, row, &mut bytes);
        if bytes.len() >= COPY_CHUNK_BYTES {
            copy.send(bytes.as_slice()).await?;
            bytes.clear();
        }
    }
    bytes.extend(binary::TRAILER);
    copy.send(bytes.as_slice()).await?;
    copy.finish().await?;
    sqlx::query(AssertSqlSafe(table.staged_sql(schema))).execute(conn).await.map(drop)
}
