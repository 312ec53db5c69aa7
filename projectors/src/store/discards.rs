//! Decisions to give an event up, in `gesta.dead_letter_discards`, and what became of the letters.

use migrations::DeadLettersRow;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::letters::identified;
use crate::runner::Discard;

/// Writes decisions down, each once.
pub(crate) async fn discard(conn: &mut PgConnection, discards: &[Discard]) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO gesta.dead_letter_discards (tenant, id, projection, event_id, actor, at, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    for discard in discards {
        sqlx::query(sql)
            .bind(&discard.tenant)
            .bind(discard.id)
            .bind(super::clean::text(&discard.projection))
            .bind(discard.event_id)
            .bind(&discard.actor)
            .bind(discard.at)
            .bind(super::clean::text(&discard.reason))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Projection, stream and version of every event of a shard that was given up, in any generation.
pub(crate) async fn discarded_events(
    pool: &PgPool,
    shard: u16,
) -> Result<Vec<(String, String, i64)>, sqlx::Error> {
    let sql = "SELECT DISTINCT projection, stream, version FROM gesta.dead_letters \
         WHERE shard = $1 AND state = 'discarded'";
    sqlx::query_as(sql).bind(i32::from(shard)).fetch_all(pool).await
}

/// Marks letters as given up.
pub(crate) async fn given_up(
    conn: &mut PgConnection,
    letters: &[&DeadLettersRow],
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE gesta.dead_letters SET state = 'discarded', redrive = false \
         WHERE (tenant, generation, projection, shard, log_generation, log_offset, event_index) \
           = ($1, $2, $3, $4, $5, $6, $7)";
    for letter in letters {
        identified(sqlx::query(sql), letter).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Takes the letters of events that were given up in another generation over into this one.
pub(crate) async fn leave_out(
    conn: &mut PgConnection,
    generation: i32,
    events: &[(&'static str, Uuid)],
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO gesta.dead_letters (tenant, generation, projection, shard, log_generation, log_offset, \
           event_index, stream, version, event_id, type, event, kind, stage, error, attempts, redrives, state, parked_at, tried_at) \
         SELECT tenant, $1, projection, shard, log_generation, log_offset, event_index, stream, version, event_id, type, \
           event, kind, stage, error, attempts, redrives, state, parked_at, tried_at FROM gesta.dead_letters \
         WHERE projection = $2 AND event_id = $3 AND state = 'discarded' ORDER BY generation DESC LIMIT 1 \
         ON CONFLICT DO NOTHING";
    for (projection, event) in events {
        sqlx::query(sql).bind(generation).bind(projection).bind(event).execute(&mut *conn).await?;
    }
    Ok(())
}
