//! `task_attempts`: every lease of every task, from its grant to its end; one row per fencing token.

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::table::Get::{BigInt, Instant, Integer, Text, Uuid as Id};
use crate::table::{Table, index, optional, required};

/// One lease of a task.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TaskAttemptsRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Id of the task.
    pub task_id: Uuid,
    /// Token of the lease; rises with every lease of the task.
    pub fencing_token: i64,
    /// 1-based attempt since creation or redrive.
    pub attempt: i64,
    /// Id of the lease.
    pub lease_id: Uuid,
    /// Who held it.
    pub worker: String,
    /// `assigned`, `running` or `ended`.
    pub state: String,
    /// How it ended: `succeeded`, `failed`, `lease_expired`, `released`, `cancelled` or `timed_out`.
    pub outcome: Option<String>,
    /// When it was granted.
    pub assigned_at: DateTime<Utc>,
    /// The lease runs, or ran, to this instant.
    pub lease_expires_at: DateTime<Utc>,
    /// How often it was renewed.
    pub renewals: i64,
    /// When the work began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Milliseconds from start to end, once both happened.
    pub duration_ms: Option<i64>,
    /// Percent done.
    pub progress: i32,
    /// Where it failed.
    pub failure_stage: Option<String>,
    /// Short reason of the failure.
    pub failure_reason: Option<String>,
    /// Error text.
    pub error: Option<String>,
    /// Version of the task: of the event that last changed the row.
    pub version: i64,
    /// Id of that event.
    pub event_id: Uuid,
    /// Position of that event.
    pub position: String,
}

/// The table. The current row of a task is the one with the greatest token.
pub const TASK_ATTEMPTS: &Table<TaskAttemptsRow> = &Table {
    name: "task_attempts",
    key: &["tenant", "task_id", "fencing_token"],
    fold_key: 2,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("task_id", Id(|r| Some(r.task_id))),
        required("fencing_token", BigInt(|r| Some(r.fencing_token))),
        required("attempt", BigInt(|r| Some(r.attempt))),
        required("lease_id", Id(|r| Some(r.lease_id))),
        required("worker", Text(|r| Some(&r.worker))),
        required("state", Text(|r| Some(&r.state))),
        optional("outcome", Text(|r| r.outcome.as_deref())),
        required("assigned_at", Instant(|r| Some(r.assigned_at))),
        required("lease_expires_at", Instant(|r| Some(r.lease_expires_at))),
        required("renewals", BigInt(|r| Some(r.renewals))),
        optional("started_at", Instant(|r| r.started_at)),
        optional("ended_at", Instant(|r| r.ended_at)),
        optional("duration_ms", BigInt(|r| r.duration_ms)),
        required("progress", Integer(|r| Some(r.progress))),
        optional("failure_stage", Text(|r| r.failure_stage.as_deref())),
        optional("failure_reason", Text(|r| r.failure_reason.as_deref())),
        optional("error", Text(|r| r.error.as_deref())),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[],
    indexes: &[index("worker", "(tenant, worker, assigned_at, task_id, fencing_token)")],
};
