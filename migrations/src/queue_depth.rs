//! `queue_depth`: how many tasks of a queue are in each state (TASK-25), counted per shard and added
//! at read.

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::table::Get::{BigInt, Instant, Integer, Text, Uuid as Id};
use crate::table::{Table, required};

/// The tasks of one queue that live in one shard, counted by state.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct QueueDepthRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Queue.
    pub queue: String,
    /// Shard that the counted tasks live in.
    pub shard: i32,
    /// Held back, or not due yet.
    pub pending: i64,
    /// Waiting for a worker: the depth.
    pub queued: i64,
    /// Leased, not begun.
    pub assigned: i64,
    /// Being worked on.
    pub running: i64,
    /// Waiting for the next attempt.
    pub retry_wait: i64,
    /// Done.
    pub succeeded: i64,
    /// Failed for good.
    pub failed: i64,
    /// Set aside for a person.
    pub dead_lettered: i64,
    /// Given up.
    pub discarded: i64,
    /// Cancelled.
    pub cancelled: i64,
    /// Being undone.
    pub compensating: i64,
    /// Undone.
    pub compensated: i64,
    /// Could not be undone.
    pub compensation_failed: i64,
    /// When the last change happened.
    pub updated_at: DateTime<Utc>,
    /// How many changes were counted.
    pub version: i64,
    /// Id of the event that last changed the row.
    pub event_id: Uuid,
    /// Position of that event.
    pub position: String,
}

/// The table.
pub const QUEUE_DEPTH: &Table<QueueDepthRow> = &Table {
    name: "queue_depth",
    key: &["tenant", "queue", "shard"],
    fold_key: 3,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("queue", Text(|r| Some(&r.queue))),
        required("shard", Integer(|r| Some(r.shard))),
        required("pending", BigInt(|r| Some(r.pending))),
        required("queued", BigInt(|r| Some(r.queued))),
        required("assigned", BigInt(|r| Some(r.assigned))),
        required("running", BigInt(|r| Some(r.running))),
        required("retry_wait", BigInt(|r| Some(r.retry_wait))),
        required("succeeded", BigInt(|r| Some(r.succeeded))),
        required("failed", BigInt(|r| Some(r.failed))),
        required("dead_lettered", BigInt(|r| Some(r.dead_lettered))),
        required("discarded", BigInt(|r| Some(r.discarded))),
        required("cancelled", BigInt(|r| Some(r.cancelled))),
        required("compensating", BigInt(|r| Some(r.compensating))),
        required("compensated", BigInt(|r| Some(r.compensated))),
        required("compensation_failed", BigInt(|r| Some(r.compensation_failed))),
        required("updated_at", Instant(|r| Some(r.updated_at))),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[],
    indexes: &[],
};
