//! Dead letters in `gesta.dead_letters`. Only the runner of a shard parks and applies them: the one in
//! the transaction that moves the cursor, the other in one that moves `parked_version` beside it.

use chrono::{DateTime, Utc};
use event_log::Cursor;
use migrations::dead_letters::LETTERS_SQL;
use migrations::{CHANNEL, DeadLettersRow};
use serde_json::json;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::cursors::number;
use crate::runner::{Cause, Letter};

/// Where the letters of one stream stand.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) generation: i32,
    pub(crate) shard: u16,
    pub(crate) projection: &'static str,
    pub(crate) stream: String,
}

/// How many letters each stream of a shard has and since when, by projection.
pub(crate) async fn parked(
    pool: &PgPool,
    generation: i32,
    shard: u16,
) -> Result<Vec<(String, String, i64, DateTime<Utc>)>, sqlx::Error> {
    let sql = "SELECT projection, stream, count(*), min(parked_at) FROM gesta.dead_letters \
         WHERE generation = $1 AND shard = $2 AND state = 'parked' GROUP BY projection, stream";
    sqlx::query_as(sql).bind(generation).bind(i32::from(shard)).fetch_all(pool).await
}

/// Parks letters.
pub(crate) async fn park(
    conn: &mut PgConnection,
    generation: i32,
    letters: &[Letter],
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO gesta.dead_letters (tenant, generation, projection, shard, log_generation, log_offset, \
           event_index, stream, version, event_id, type, event, kind, stage, error, attempts, tried_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
           CASE WHEN $13 = 'poison' THEN now() END)";
    for letter in letters {
        let cause = letter.cause.as_ref();
        sqlx::query(sql)
            .bind(letter.stream.tenant())
            .bind(generation)
            .bind(letter.projection)
            .bind(i32::from(letter.position.shard))
            .bind(i64::from(letter.position.generation))
            .bind(number(letter.position.offset))
            .bind(i32::from(letter.position.index))
            .bind(letter.stream.as_str())
            .bind(number(letter.version))
            .bind(letter.event_id)
            .bind(&letter.kind)
            .bind(&letter.event)
            .bind(if cause.is_some() { "poison" } else { "follower" })
            .bind(cause.map(|cause| cause.stage))
            .bind(cause.map(|cause| &cause.error))
            .bind(cause.map_or(0, |cause| cause.attempts))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// The streams of a shard, by projection, whose letters are to be tried again: because somebody wants it, because the
/// first one was given up, or by themselves, 1 minute, 5 minutes, 30 minutes and 2 hours after the last time; then a person has to look.
pub(crate) async fn due(
    pool: &PgPool,
    generation: i32,
    shard: u16,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let sql = "SELECT projection, stream FROM gesta.dead_letters \
         WHERE generation = $1 AND shard = $2 AND state = 'parked' AND redrive \
         UNION SELECT projection, stream FROM gesta.dead_letters \
         WHERE generation = $1 AND shard = $2 AND state = 'parked' AND kind = 'poison' \
           AND tried_at < now() - (CASE redrives WHEN 0 THEN interval '1 minute' WHEN 1 THEN interval '5 minutes' \
             WHEN 2 THEN interval '30 minutes' WHEN 3 THEN interval '2 hours' END) \
         UNION SELECT l.projection, l.stream FROM gesta.dead_letters l \
         JOIN gesta.dead_letter_discards d USING (tenant, id, projection) \
         WHERE l.generation = $1 AND l.shard = $2 AND l.state = 'parked' AND l.kind = 'poison' \
         ORDER BY projection, stream LIMIT 1000";
    sqlx::query_as(sql).bind(generation).bind(i32::from(shard)).fetch_all(pool).await
}

/// The first letters of a stream, in order.
pub(crate) async fn first(
    pool: &PgPool,
    of: &Sequence,
    max: i64,
) -> Result<Vec<DeadLettersRow>, sqlx::Error> {
    let sql = format!(
        "{LETTERS_SQL} WHERE l.generation = $1 AND l.shard = $2 AND l.projection = $3 \
         AND l.stream = $4 AND l.state = 'parked' ORDER BY l.log_generation, l.log_offset, l.event_index LIMIT $5"
    );
    let query =
        sqlx::query_as(AssertSqlSafe(sql)).bind(of.generation).bind(i32::from(of.shard)).bind(of.projection);
    query.bind(&of.stream).bind(max).fetch_all(pool).await
}

/// Moves the version of what is parked, if cursor and version still stand where the runner has them.
/// `false`: someone else is ahead, and the transaction must be rolled back.
pub(crate) async fn release(
    conn: &mut PgConnection,
    generation: i32,
    names: &[&'static str],
    at: &Cursor,
    version: i64,
    events: u64,
) -> Result<bool, sqlx::Error> {
    let sql = "WITH mine AS (SELECT name FROM gesta.projections WHERE generation = $1 AND shard = $2 \
           AND name = ANY ($3) AND cursor = $4 AND parked_version = $5 ORDER BY name FOR UPDATE), \
         moved AS (UPDATE gesta.projections AS p SET parked_version = p.parked_version + 1, \
           events_applied = p.events_applied + $6, updated_at = now() \
         FROM mine WHERE p.generation = $1 AND p.shard = $2 AND p.name = mine.name RETURNING 1) \
         SELECT count(*), pg_notify($7, $8) FROM moved";
    let note = json!({ "generation": generation, "shard": at.shard, "nextOffset": at.next_offset });
    let query = sqlx::query_scalar(sql)
        .bind(generation)
        .bind(i32::from(at.shard))
        .bind(names)
        .bind(Json(at))
        .bind(version)
        .bind(number(events))
        .bind(CHANNEL)
        .bind(note.to_string());
    let moved: i64 = query.fetch_one(conn).await?;
    Ok(usize::try_from(moved) == Ok(names.len()))
}

/// Marks letters as applied.
pub(crate) async fn applied(conn: &mut PgConnection, letters: &[&DeadLettersRow]) -> Result<(), sqlx::Error> {
    let sql = "UPDATE gesta.dead_letters SET state = 'applied', redrive = false, attempts = attempts + 1, \
           tried_at = now() WHERE (tenant, generation, projection, shard, log_generation, log_offset, event_index) \
           = ($1, $2, $3, $4, $5, $6, $7)";
    for letter in letters {
        identified(sqlx::query(sql), letter).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Says why a letter is still parked; its stream is not tried again until somebody asks for it.
pub(crate) async fn refused(
    conn: &mut PgConnection,
    letter: &DeadLettersRow,
    cause: &Cause,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE gesta.dead_letters SET kind = 'poison', stage = $8, error = $9, attempts = attempts + $10, \
           redrives = redrives + 1, tried_at = now() \
         WHERE (tenant, generation, projection, shard, log_generation, log_offset, event_index) \
           = ($1, $2, $3, $4, $5, $6, $7)";
    let query = identified(sqlx::query(sql), letter).bind(cause.stage).bind(&cause.error);
    query.bind(cause.attempts).execute(&mut *conn).await?;
    let sql = "UPDATE gesta.dead_letters SET redrive = false WHERE generation = $1 AND projection = $2 \
         AND shard = $3 AND stream = $4 AND state = 'parked' AND redrive";
    let query = sqlx::query(sql).bind(letter.generation).bind(&letter.projection).bind(letter.shard);
    query.bind(&letter.stream).execute(conn).await.map(drop)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

pub(super) fn identified<'q>(query: Query<'q>, letter: &DeadLettersRow) -> Query<'q> {
    query
        .bind(letter.tenant.clone())
        .bind(letter.generation)
        .bind(letter.projection.clone())
        .bind(letter.shard)
        .bind(letter.log_generation)
        .bind(letter.log_offset)
        .bind(letter.event_index)
}
