//! `task_list`: every task with its present state (TASK-1), one row per task.

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::json::JsonText;
use crate::table::Get::{BigInt, Boolean, Instant, Integer, Json, Text, Uuid as Id};
use crate::table::{Table, index, optional, required};

/// One task.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct TaskListRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Id of the task.
    pub id: Uuid,
    /// Queue that hands it out.
    pub queue: String,
    /// What kind of work it is.
    pub r#type: String,
    /// Short title.
    pub title: String,
    /// Longer description.
    pub description: Option<String>,
    /// `low`, `normal`, `high` or `critical`.
    pub priority: String,
    /// 1 (low) to 4 (critical), to sort by.
    pub priority_rank: i32,
    /// State of M-8, for example `retry_wait`.
    pub state: String,
    /// One of the six public states: `queued`, `assigned`, `running`, `succeeded`, `failed`, `cancelled`.
    pub status: String,
    /// Input for the worker, an object.
    pub payload: JsonText,
    /// Capabilities that a worker needs, an array of strings.
    pub requirements: JsonText,
    /// Task that this one is a part of.
    pub parent_id: Option<Uuid>,
    /// Tasks that must succeed first, an array of ids.
    pub depends_on: JsonText,
    /// Whether it waits, or waited, to be enqueued.
    pub hold: bool,
    /// Not before this instant.
    pub run_at: Option<DateTime<Utc>>,
    /// It times out at this instant.
    pub deadline: Option<DateTime<Utc>>,
    /// Leases, attempts, waits: an object with the keys of the policy.
    pub policy: JsonText,
    /// Attempts before it fails for good.
    pub max_attempts: i64,
    /// Free labels, an object of strings.
    pub metadata: JsonText,
    /// Correlation id of its creation.
    pub correlation_id: String,
    /// Who created it, `kind/id`.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its last event happened.
    pub updated_at: DateTime<Utc>,
    /// Since when it waits in its queue, while it does.
    pub enqueued_at: Option<DateTime<Utc>>,
    /// Why it was queued last.
    pub queued_because: Option<String>,
    /// Who holds it, or held it when it ended; none while it waits.
    pub worker: Option<String>,
    /// Id of the last lease.
    pub lease_id: Option<Uuid>,
    /// Token of the last lease, 0 before the first.
    pub fencing_token: i64,
    /// The lease runs to this instant, while there is one.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// 1-based number of the last attempt since creation or redrive, 0 before the first.
    pub attempt: i64,
    /// When it was leased last.
    pub assigned_at: Option<DateTime<Utc>>,
    /// When work on it began last.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended; none while it lives.
    pub completed_at: Option<DateTime<Utc>>,
    /// Percent done in the present attempt.
    pub progress: i32,
    /// What is being done.
    pub progress_note: Option<String>,
    /// When it is expected to be done: as its worker said, else drawn from the pace so far.
    pub estimated_completion: Option<DateTime<Utc>>,
    /// Result of the work, an object.
    pub result: Option<JsonText>,
    /// Where it failed last: `execute`, `timeout` or `compensate`.
    pub failure_stage: Option<String>,
    /// Short reason of the last failure.
    pub failure_reason: Option<String>,
    /// Error text of the last failure.
    pub last_error: Option<String>,
    /// When it is queued again, while it waits for that.
    pub next_run_at: Option<DateTime<Utc>>,
    /// How many attempts failed and were followed by a wait, over its whole life.
    pub retry_count: i64,
    /// How often it was redriven.
    pub redrive_count: i64,
    /// When a running task was asked to stop.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// It is cancelled at this instant even without an answer.
    pub grace_until: Option<DateTime<Utc>>,
    /// Why it was cancelled, given back, redriven, discarded or compensated last.
    pub reason: Option<String>,
    /// Whether the lease holder said that it stopped.
    pub cancel_acknowledged: Option<bool>,
    /// How many stale fencing tokens were refused.
    pub stale_tokens: i64,
    /// Version of the task: of the event that last changed the row.
    pub version: i64,
    /// Id of that event.
    pub event_id: Uuid,
    /// Position of that event, `generation.shard.offset.index`.
    pub position: String,
}

/// The table.
pub const TASK_LIST: &Table<TaskListRow> = &Table {
    name: "task_list",
    key: &["tenant", "id"],
    fold_key: 2,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("id", Id(|r| Some(r.id))),
        required("queue", Text(|r| Some(&r.queue))),
        required("type", Text(|r| Some(&r.r#type))),
        required("title", Text(|r| Some(&r.title))),
        optional("description", Text(|r| r.description.as_deref())),
        required("priority", Text(|r| Some(&r.priority))),
        required("priority_rank", Integer(|r| Some(r.priority_rank))),
        required("state", Text(|r| Some(&r.state))),
        required("status", Text(|r| Some(&r.status))),
        required("payload", Json(|r| Some(&r.payload))),
        required("requirements", Json(|r| Some(&r.requirements))),
        optional("parent_id", Id(|r| r.parent_id)),
        required("depends_on", Json(|r| Some(&r.depends_on))),
        required("hold", Boolean(|r| Some(r.hold))),
        optional("run_at", Instant(|r| r.run_at)),
        optional("deadline", Instant(|r| r.deadline)),
        required("policy", Json(|r| Some(&r.policy))),
        required("max_attempts", BigInt(|r| Some(r.max_attempts))),
        required("metadata", Json(|r| Some(&r.metadata))),
        required("correlation_id", Text(|r| Some(&r.correlation_id))),
        required("created_by", Text(|r| Some(&r.created_by))),
        required("created_at", Instant(|r| Some(r.created_at))),
        required("updated_at", Instant(|r| Some(r.updated_at))),
        optional("enqueued_at", Instant(|r| r.enqueued_at)),
        optional("queued_because", Text(|r| r.queued_because.as_deref())),
        optional("worker", Text(|r| r.worker.as_deref())),
        optional("lease_id", Id(|r| r.lease_id)),
        required("fencing_token", BigInt(|r| Some(r.fencing_token))),
        optional("lease_expires_at", Instant(|r| r.lease_expires_at)),
        required("attempt", BigInt(|r| Some(r.attempt))),
        optional("assigned_at", Instant(|r| r.assigned_at)),
        optional("started_at", Instant(|r| r.started_at)),
        optional("completed_at", Instant(|r| r.completed_at)),
        required("progress", Integer(|r| Some(r.progress))),
        optional("progress_note", Text(|r| r.progress_note.as_deref())),
        optional("estimated_completion", Instant(|r| r.estimated_completion)),
        optional("result", Json(|r| r.result.as_ref())),
        optional("failure_stage", Text(|r| r.failure_stage.as_deref())),
        optional("failure_reason", Text(|r| r.failure_reason.as_deref())),
        optional("last_error", Text(|r| r.last_error.as_deref())),
        optional("next_run_at", Instant(|r| r.next_run_at)),
        required("retry_count", BigInt(|r| Some(r.retry_count))),
        required("redrive_count", BigInt(|r| Some(r.redrive_count))),
        optional("cancel_requested_at", Instant(|r| r.cancel_requested_at)),
        optional("grace_until", Instant(|r| r.grace_until)),
        optional("reason", Text(|r| r.reason.as_deref())),
        optional("cancel_acknowledged", Boolean(|r| r.cancel_acknowledged)),
        required("stale_tokens", BigInt(|r| Some(r.stale_tokens))),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    // No index on what a heartbeat or a rise of progress changes.
    generated: &[],
    indexes: &[
        index("created", "(tenant, created_at, id)"),
        index("state", "(tenant, state, created_at, id)"),
        index("queue", "(tenant, queue, state, created_at, id)"),
        index("worker", "(tenant, worker, created_at, id) WHERE worker IS NOT NULL"),
        index("parent", "(tenant, parent_id, id) WHERE parent_id IS NOT NULL"),
        index("ended", "(tenant, queue, status, completed_at, id) WHERE completed_at IS NOT NULL"),
    ],
};

/// How many succeeded tasks a queue's view shows (TASK-14).
pub const KEEP_SUCCEEDED: i64 = 100;
/// How many failed or cancelled tasks a queue's view shows (TASK-14).
pub const KEEP_FAILED: i64 = 50;

/// The last ended tasks of one queue, newest first (TASK-14): parameters are the tenant, the queue,
/// how many succeeded and how many other ones. Nothing is ever deleted; older ones stay in `task_list`.
pub const RECENTLY_ENDED_SQL: &str = "SELECT * FROM ( \
     (SELECT * FROM gesta.task_list WHERE tenant = $1 AND queue = $2 AND completed_at IS NOT NULL \
        AND status = 'succeeded' ORDER BY completed_at DESC, id DESC LIMIT $3) \
     UNION ALL \
     (SELECT * FROM gesta.task_list WHERE tenant = $1 AND queue = $2 AND completed_at IS NOT NULL \
        AND status <> 'succeeded' ORDER BY completed_at DESC, id DESC LIMIT $4)) AS ended \
     ORDER BY completed_at DESC, id DESC";
