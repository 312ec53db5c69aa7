//! How far the read models are: the table `projections`, the same for every tenant.

use async_graphql::{Context, SimpleObject};
use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::{Fallible, reader};
use crate::read_models::ReadModel;

/// A projection of the generation that is read.
#[derive(SimpleObject)]
pub(crate) struct Projection {
    /// Name, the same as that of its table.
    name: String,
    /// Generation of the read models.
    generation: i32,
    /// `running`, or `stopped` when it is in any shard.
    state: String,
    /// Records of the log that it has not applied, all shards together.
    lag_records: i64,
    /// Age of what it shows, in the shard that is furthest behind; 0 when it shows everything.
    lag_seconds: f64,
    /// Events applied since the first.
    events_applied: i64,
    /// The same for each shard.
    shards: Vec<ProjectionShard>,
}

/// How far a projection is in one shard.
#[derive(SimpleObject)]
pub(crate) struct ProjectionShard {
    /// Shard of the log.
    shard: i32,
    /// Next offset to apply: every record below it is shown.
    next_offset: i64,
    /// Next offset of the log when the projection last wrote.
    head_offset: i64,
    /// Records of the log that are not applied.
    lag_records: i64,
    /// Age of what is shown; 0 when everything is.
    lag_seconds: f64,
    /// Time of the last applied event.
    last_event_at: Option<DateTime<Utc>>,
    /// When the projection last wrote.
    updated_at: DateTime<Utc>,
    /// `running` or `stopped`.
    state: String,
    /// Why it is stopped.
    error: Option<String>,
}

#[derive(FromRow)]
struct Row {
    name: String,
    generation: i32,
    shard: i32,
    next_offset: i64,
    head_offset: i64,
    last_event_at: Option<DateTime<Utc>>,
    events_applied: i64,
    state: String,
    error: Option<String>,
    updated_at: DateTime<Utc>,
}

const LIVE_SQL: &str = "SELECT p.name, p.generation, p.shard, p.next_offset, p.head_offset, p.last_event_at,
    p.events_applied, p.state, p.error, p.updated_at
    FROM gesta.projections p JOIN gesta.generations g USING (generation)
    WHERE g.state = 'live' ORDER BY p.name, p.shard";

/// Every projection of the live generation.
///
/// # Errors
/// The database is away.
pub(super) async fn list(ctx: &Context<'_>) -> Fallible<Vec<Projection>> {
    let mut connection = reader(ctx).lend(&[ReadModel::Projections]).await?;
    let rows: Vec<Row> = sqlx::query_as(LIVE_SQL).fetch_all(&mut *connection).await?;
    Ok(gather(rows, Utc::now()))
}

fn gather(rows: Vec<Row>, now: DateTime<Utc>) -> Vec<Projection> {
    let mut projections: Vec<Projection> = Vec::new();
    for row in rows {
        if projections.last().is_none_or(|last| last.name != row.name) {
            projections.push(Projection {
                name: row.name.clone(),
                generation: row.generation,
                state: "running".to_owned(),
                lag_records: 0,
                lag_seconds: 0.0,
                events_applied: 0,
                shards: Vec::new(),
            });
        }
        let Some(projection) = projections.last_mut() else { continue };
        let shard = shard_of(&row, now);
        projection.lag_records += shard.lag_records;
        projection.lag_seconds = projection.lag_seconds.max(shard.lag_seconds);
        projection.events_applied += row.events_applied;
        if shard.state != "running" {
            projection.state.clone_from(&shard.state);
        }
        projection.shards.push(shard);
    }
    projections
}

fn shard_of(row: &Row, now: DateTime<Utc>) -> ProjectionShard {
    let lag_records = (row.head_offset - row.next_offset).max(0);
    // What was last shown is as old as its last event; before the first event, as the last look.
    let shown = row.last_event_at.unwrap_or(row.updated_at);
    let age = (now - shown).num_milliseconds().max(0) as f64 / 1_000.0;
    ProjectionShard {
        shard: row.shard,
        next_offset: row.next_offset,
        head_offset: row.head_offset,
        lag_records,
        lag_seconds: if lag_records == 0 { 0.0 } else { age },
        last_event_at: row.last_event_at,
        updated_at: row.updated_at,
        state: row.state.clone(),
        error: row.error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_is_as_far_behind_as_its_worst_shard() {
        let now = Utc::now();
        let row = |shard, next_offset, head_offset, seconds| Row {
            name: "task_list".into(),
            generation: 1,
            shard,
            next_offset,
            head_offset,
            last_event_at: Some(now - chrono::Duration::seconds(seconds)),
            events_applied: 5,
            state: if shard == 1 { "stopped".into() } else { "running".into() },
            error: None,
            updated_at: now,
        };
        let gathered = gather(vec![row(0, 10, 10, 900), row(1, 4, 10, 30), row(2, 9, 10, 2)], now);
        let [projection] = gathered.as_slice() else { panic!("one projection") };
        assert_eq!(
            (projection.lag_records, projection.lag_seconds),
            (7, 30.0),
            "a shard that is done has no lag"
        );
        assert_eq!((projection.state.as_str(), projection.events_applied), ("stopped", 15));
    }
}
