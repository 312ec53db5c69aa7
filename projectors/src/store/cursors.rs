//! Cursors in `gesta.projections`, moved by compare-and-set.

use chrono::{DateTime, Utc};
use event_log::Cursor;
use migrations::CHANNEL;
use serde_json::json;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

/// Where the projections of a batch stood, and where they stand after it.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    pub(crate) generation: i32,
    pub(crate) names: Vec<&'static str>,
    /// For each of them, the version of what is parked.
    pub(crate) versions: Vec<i64>,
    pub(crate) old: Cursor,
    pub(crate) new: Cursor,
    /// Next offset of the log.
    pub(crate) head: u64,
    /// `at` of the batch's last commit.
    pub(crate) last_at: Option<DateTime<Utc>>,
    /// For each of them, how many events of the batch it applied.
    pub(crate) events: Vec<i64>,
}

/// A stored cursor.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) cursor: Json<Cursor>,
    pub(crate) last_event_at: Option<DateTime<Utc>>,
    /// `running` or `stopped`, as the last one who wrote it found.
    pub(crate) state: String,
    pub(crate) parked_version: i64,
}

pub(super) fn number(value: u64) -> i64 {
    // Offsets and counts never come near 2^63; Postgres has no wider integer.
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Creates the missing cursors of a shard at its beginning.
pub(crate) async fn begin(
    pool: &PgPool,
    generation: i32,
    names: &[&'static str],
    start: &Cursor,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO gesta.projections (name, generation, shard, cursor, log_generation, next_offset, head_offset) \
         SELECT name, $2, $3, $4, $5, 0, 0 FROM UNNEST($1::text[]) AS name ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(names).bind(generation).bind(i32::from(start.shard)).bind(Json(start));
    query.bind(i64::from(start.generation)).execute(pool).await.map(drop)
}

/// The cursors of a shard.
pub(crate) async fn stored(pool: &PgPool, generation: i32, shard: u16) -> Result<Vec<Stored>, sqlx::Error> {
    let sql = "SELECT name, cursor, last_event_at, state, parked_version FROM gesta.projections WHERE generation = $1 AND shard = $2";
    sqlx::query_as(sql).bind(generation).bind(i32::from(shard)).fetch_all(pool).await
}

/// Moves every cursor of the batch, if all of them still stand where it began with nothing released since, and
/// tells who waits for rows.
/// `false`: someone else is ahead, and the transaction must be rolled back.
pub(crate) async fn advance(conn: &mut PgConnection, marks: &Marks) -> Result<bool, sqlx::Error> {
    let note = json!({
        "generation": marks.generation, "shard": marks.new.shard, "nextOffset": marks.new.next_offset,
    });
    advance_with(conn, marks, Some(note.to_string())).await
}

/// The same for what has no rows.
pub(crate) async fn advance_quietly(conn: &mut PgConnection, marks: &Marks) -> Result<bool, sqlx::Error> {
    advance_with(conn, marks, None).await
}

async fn advance_with(
    conn: &mut PgConnection,
    marks: &Marks,
    note: Option<String>,
) -> Result<bool, sqlx::Error> {
    // Locked in one order, so that two workers of a shard wait for each other instead of deadlocking.
    let sql = "WITH mine AS (SELECT p.name, own.events FROM gesta.projections AS p \
           JOIN UNNEST($3::text[], $11::bigint[], $10::bigint[]) AS own(name, parked_version, events) \
             USING (name, parked_version) \
           WHERE p.generation = $1 AND p.shard = $2 AND p.cursor = $4 ORDER BY p.name FOR UPDATE OF p), \
         moved AS (UPDATE gesta.projections AS p SET cursor = $5, log_generation = $6, next_offset = $7, \
           head_offset = $8, last_event_at = coalesce($9, p.last_event_at), \
           events_applied = p.events_applied + mine.events, state = 'running', error = NULL, updated_at = now() \
         FROM mine WHERE p.generation = $1 AND p.shard = $2 AND p.name = mine.name RETURNING 1) \
         SELECT count(*), (SELECT pg_notify($12, $13) WHERE $13::text IS NOT NULL) FROM moved";
    let query = sqlx::query_scalar(sql)
        .bind(marks.generation)
        .bind(i32::from(marks.old.shard))
        .bind(&marks.names)
        .bind(Json(marks.old))
        .bind(Json(marks.new))
        .bind(i64::from(marks.new.generation))
        .bind(number(marks.new.next_offset))
        .bind(number(marks.head))
        .bind(marks.last_at)
        .bind(&marks.events)
        .bind(&marks.versions)
        .bind(CHANNEL)
        .bind(note);
    let moved: i64 = query.fetch_one(conn).await?;
    Ok(usize::try_from(moved) == Ok(marks.names.len()))
}

/// Says in the table that projections of a shard are stopped, unless they moved on meanwhile.
pub(crate) async fn stop(
    pool: &PgPool,
    generation: i32,
    names: &[&'static str],
    at: &Cursor,
    head: u64,
    error: &str,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE gesta.projections SET state = 'stopped', error = $5, head_offset = $6, updated_at = now() \
         WHERE generation = $1 AND shard = $2 AND name = ANY ($3) AND cursor = $4";
    let query = sqlx::query(sql).bind(generation).bind(i32::from(at.shard)).bind(names).bind(Json(at));
    query.bind(error).bind(number(head)).execute(pool).await.map(drop)
}

/// Takes back that projections of a shard are stopped: what stopped them is repaired.
pub(crate) async fn resume(
    pool: &PgPool,
    generation: i32,
    names: &[&'static str],
    at: &Cursor,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE gesta.projections SET state = 'running', error = NULL, updated_at = now() \
         WHERE generation = $1 AND shard = $2 AND name = ANY ($3) AND cursor = $4 AND state = 'stopped'";
    let query = sqlx::query(sql).bind(generation).bind(i32::from(at.shard)).bind(names).bind(Json(at));
    query.execute(pool).await.map(drop)
}
