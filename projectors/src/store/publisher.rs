//! Cursors of the publisher. It has no tables, so it does not begin anew with a generation of the read models.

use event_log::Cursor;
use sqlx::PgPool;
use sqlx::types::Json;

/// Takes a cursor over from the last generation that has one, if this one has none yet.
pub(crate) async fn carry(pool: &PgPool, name: &str, generation: i32, shard: u16) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO gesta.projections (name, generation, shard, cursor, log_generation, next_offset, head_offset, \
           last_event_at, events_applied) \
         SELECT name, $2, shard, cursor, log_generation, next_offset, head_offset, last_event_at, events_applied \
         FROM gesta.projections WHERE name = $1 AND shard = $3 ORDER BY generation DESC LIMIT 1 ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(name).bind(generation).bind(i32::from(shard));
    query.execute(pool).await.map(drop)
}

/// Sets cursors back to where everything is published again.
pub(crate) async fn rewind(
    pool: &PgPool,
    name: &str,
    generation: i32,
    starts: &[Cursor],
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE gesta.projections SET cursor = $4, log_generation = $5, next_offset = 0, last_event_at = NULL, \
         updated_at = now() WHERE name = $1 AND generation = $2 AND shard = $3";
    let mut tx = migrations::begin(pool, "BEGIN").await?;
    for start in starts {
        let query = sqlx::query(sql).bind(name).bind(generation).bind(i32::from(start.shard));
        query.bind(Json(start)).bind(i64::from(start.generation)).execute(&mut *tx).await?;
    }
    tx.commit().await
}
