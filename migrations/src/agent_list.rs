//! `agent_list`: every agent with its present state (AGENT-1 to AGENT-3), one row per agent.

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::json::JsonText;
use crate::table::Get::{BigInt, Boolean, Instant, Json, Text, Uuid as Id};
use crate::table::{Table, index, optional, required};

/// One agent.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct AgentListRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Id of the agent.
    pub id: Uuid,
    /// What process it is (M-5).
    pub kind: String,
    /// Name for people.
    pub label: Option<String>,
    /// Model that it runs on.
    pub model: String,
    /// What it shall do.
    pub task: Option<String>,
    /// Team that it belongs to.
    pub team_id: Option<Uuid>,
    /// Settings of the process, an object.
    pub config: JsonText,
    /// What it started out knowing, an object.
    pub context: JsonText,
    /// Code that it started from.
    pub code: Option<String>,
    /// Reasoning that it started from.
    pub reasoning: Option<String>,
    /// What it must not do, an object.
    pub safety_boundaries: JsonText,
    /// What it can do, an array of strings.
    pub capabilities: JsonText,
    /// Roles that it plays, an array of strings.
    pub roles: JsonText,
    /// Labels to find it by, an array of strings.
    pub labels: JsonText,
    /// State of M-4, for example `cleaning_up`.
    pub lifecycle_state: String,
    /// Derived from it: `pending`, `initializing`, `running`, `paused`, `completed`, `failed`, `killed`.
    pub status: String,
    /// `idle`, `draining` or `offline`, from its own events; that an idle one is busy shows in its leases.
    pub availability: String,
    /// Whether it takes no new work.
    pub draining: bool,
    /// It counts as alive until this instant.
    pub alive_until: Option<DateTime<Utc>>,
    /// Its last recorded sign of life.
    pub last_heartbeat: Option<DateTime<Utc>>,
    /// Length of its liveness after a heartbeat, in milliseconds.
    pub heartbeat_ms: i64,
    /// Session that it runs in.
    pub session_id: Option<Uuid>,
    /// Path of its worktree.
    pub worktree: Option<String>,
    /// Ids of its commits, an array of strings.
    pub commits: JsonText,
    /// 1-based number of the incarnation.
    pub incarnation: i64,
    /// When it was asked for.
    pub spawned_at: DateTime<Utc>,
    /// When it ended; none while it lives.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was paused, while it is.
    pub pause_time: Option<DateTime<Utc>>,
    /// Who paused it, `kind/id`, while it is.
    pub paused_by: Option<String>,
    /// The state that a resume leads to, while it is paused.
    pub resume_to: Option<String>,
    /// Milliseconds of finished intervals of executing (AGENT-28); waiting and pauses do not count.
    pub runtime_ms: i64,
    /// Since when it executes, while it does: the present interval is not in `runtime_ms` yet.
    pub executing_since: Option<DateTime<Utc>>,
    /// What it asks, while it waits.
    pub prompt: Option<String>,
    /// It fails at this instant without input, while it waits.
    pub input_deadline: Option<DateTime<Utc>>,
    /// What came of its task.
    pub summary: Option<String>,
    /// Retries so far.
    pub retry_count: i64,
    /// How often it may be retried.
    pub max_retries: i64,
    /// Error text of its last failure.
    pub last_error: Option<String>,
    /// Why it was paused, drained, killed or restarted last.
    pub reason: Option<String>,
    /// Most it may spend, a decimal.
    pub budget_limit: Option<String>,
    /// Whether it is hidden from lists.
    pub archived: bool,
    /// Free labels, an object of strings.
    pub metadata: JsonText,
    /// Correlation id of its spawning.
    pub correlation_id: String,
    /// Who asked for it, `kind/id`.
    pub created_by: String,
    /// When its last event happened.
    pub updated_at: DateTime<Utc>,
    /// Version of the agent: of the event that last changed the row.
    pub version: i64,
    /// Id of that event.
    pub event_id: Uuid,
    /// Position of that event.
    pub position: String,
}

/// The table.
pub const AGENT_LIST: &Table<AgentListRow> = &Table {
    name: "agent_list",
    key: &["tenant", "id"],
    fold_key: 2,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("id", Id(|r| Some(r.id))),
        required("kind", Text(|r| Some(&r.kind))),
        optional("label", Text(|r| r.label.as_deref())),
        required("model", Text(|r| Some(&r.model))),
        optional("task", Text(|r| r.task.as_deref())),
        optional("team_id", Id(|r| r.team_id)),
        required("config", Json(|r| Some(&r.config))),
        required("context", Json(|r| Some(&r.context))),
        optional("code", Text(|r| r.code.as_deref())),
        optional("reasoning", Text(|r| r.reasoning.as_deref())),
        required("safety_boundaries", Json(|r| Some(&r.safety_boundaries))),
        required("capabilities", Json(|r| Some(&r.capabilities))),
        required("roles", Json(|r| Some(&r.roles))),
        required("labels", Json(|r| Some(&r.labels))),
        required("lifecycle_state", Text(|r| Some(&r.lifecycle_state))),
        required("status", Text(|r| Some(&r.status))),
        required("availability", Text(|r| Some(&r.availability))),
        required("draining", Boolean(|r| Some(r.draining))),
        optional("alive_until", Instant(|r| r.alive_until)),
        optional("last_heartbeat", Instant(|r| r.last_heartbeat)),
        required("heartbeat_ms", BigInt(|r| Some(r.heartbeat_ms))),
        optional("session_id", Id(|r| r.session_id)),
        optional("worktree", Text(|r| r.worktree.as_deref())),
        required("commits", Json(|r| Some(&r.commits))),
        required("incarnation", BigInt(|r| Some(r.incarnation))),
        required("spawned_at", Instant(|r| Some(r.spawned_at))),
        optional("completed_at", Instant(|r| r.completed_at)),
        optional("pause_time", Instant(|r| r.pause_time)),
        optional("paused_by", Text(|r| r.paused_by.as_deref())),
        optional("resume_to", Text(|r| r.resume_to.as_deref())),
        required("runtime_ms", BigInt(|r| Some(r.runtime_ms))),
        optional("executing_since", Instant(|r| r.executing_since)),
        optional("prompt", Text(|r| r.prompt.as_deref())),
        optional("input_deadline", Instant(|r| r.input_deadline)),
        optional("summary", Text(|r| r.summary.as_deref())),
        required("retry_count", BigInt(|r| Some(r.retry_count))),
        required("max_retries", BigInt(|r| Some(r.max_retries))),
        optional("last_error", Text(|r| r.last_error.as_deref())),
        optional("reason", Text(|r| r.reason.as_deref())),
        optional("budget_limit", Text(|r| r.budget_limit.as_deref())),
        required("archived", Boolean(|r| Some(r.archived))),
        required("metadata", Json(|r| Some(&r.metadata))),
        required("correlation_id", Text(|r| Some(&r.correlation_id))),
        required("created_by", Text(|r| Some(&r.created_by))),
        required("updated_at", Instant(|r| Some(r.updated_at))),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[],
    indexes: &[
        index("spawned", "(tenant, spawned_at, id)"),
        index("team", "(tenant, team_id, id) WHERE team_id IS NOT NULL"),
        index("status", "(tenant, status, spawned_at DESC)"),
        index("lifecycle", "(tenant, lifecycle_state)"),
        index("model", "(tenant, model)"),
        index("kind", "(tenant, kind, availability)"),
    ],
};
