//! `event_journal`: every event as a row (PLAT-23, PLAT-24), with the attributes of the envelope (M-2).

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::json::JsonText;
use crate::table::Get::{BigInt, Instant, Integer, Json, Text, Uuid as Id};
use crate::table::{Index, Table, index, optional, required};

/// One event.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct EventJournalRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Aggregate type, for example `task`.
    pub aggregate_type: String,
    /// Id of the aggregate.
    pub aggregate_id: Uuid,
    /// Version in the stream.
    pub version: i64,
    /// Id of the event.
    pub event_id: Uuid,
    /// Event type, for example `gesta.work.task.created.v1`.
    pub r#type: String,
    /// Revision of the schema that `data` was written with.
    pub schema_version: i64,
    /// `urn:gesta:<context>/<aggregate type>`.
    pub source: String,
    /// `<aggregate type>/<aggregate id>`.
    pub subject: String,
    /// `<tenant>/<aggregate type>/<aggregate id>`: the stream, and the key of public topics.
    pub partition_key: String,
    /// When it happened, shard time.
    pub time: DateTime<Utc>,
    /// Correlation id of the original request.
    pub correlation_id: String,
    /// Id of the event or command that caused the command.
    pub causation_id: String,
    /// Id of the command, which is its idempotency key.
    pub command_id: String,
    /// Type of the command, for example `task.create`.
    pub command_type: String,
    /// Kind of the actor, for example `user`.
    pub actor_type: String,
    /// Id of the actor.
    pub actor_id: String,
    /// The actor's id when it is a user.
    pub user_id: Option<String>,
    /// W3C `traceparent` of the request.
    pub traceparent: Option<String>,
    /// Trace id in it.
    pub trace_id: Option<String>,
    /// Agent that the event is about, or that holds the task.
    pub agent_id: Option<String>,
    /// Team that the event names.
    pub team_id: Option<Uuid>,
    /// Task that the event is about.
    pub task_id: Option<Uuid>,
    /// Session that the event names.
    pub session_id: Option<Uuid>,
    /// Payload as it was written, an object.
    pub data: JsonText,
    /// Generation of the log.
    pub log_generation: i64,
    /// Shard.
    pub shard: i32,
    /// Offset of the commit in its shard.
    pub log_offset: i64,
    /// Index of the event in its commit.
    pub event_index: i32,
    /// The same four numbers as `generation.shard.offset.index`.
    pub position: String,
}

const fn unique(name: &'static str, on: &'static str) -> Index {
    Index { name, unique: true, on }
}

/// The table. It has no foreign keys, and rows of it never change.
pub const EVENT_JOURNAL: &Table<EventJournalRow> = &Table {
    name: "event_journal",
    key: &["tenant", "aggregate_id", "version"],
    fold_key: 3,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("aggregate_type", Text(|r| Some(&r.aggregate_type))),
        required("aggregate_id", Id(|r| Some(r.aggregate_id))),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("type", Text(|r| Some(&r.r#type))),
        required("schema_version", BigInt(|r| Some(r.schema_version))),
        required("source", Text(|r| Some(&r.source))),
        required("subject", Text(|r| Some(&r.subject))),
        required("partition_key", Text(|r| Some(&r.partition_key))),
        required("time", Instant(|r| Some(r.time))),
        required("correlation_id", Text(|r| Some(&r.correlation_id))),
        required("causation_id", Text(|r| Some(&r.causation_id))),
        required("command_id", Text(|r| Some(&r.command_id))),
        required("command_type", Text(|r| Some(&r.command_type))),
        required("actor_type", Text(|r| Some(&r.actor_type))),
        required("actor_id", Text(|r| Some(&r.actor_id))),
        optional("user_id", Text(|r| r.user_id.as_deref())),
        optional("traceparent", Text(|r| r.traceparent.as_deref())),
        optional("trace_id", Text(|r| r.trace_id.as_deref())),
        optional("agent_id", Text(|r| r.agent_id.as_deref())),
        optional("team_id", Id(|r| r.team_id)),
        optional("task_id", Id(|r| r.task_id)),
        optional("session_id", Id(|r| r.session_id)),
        required("data", Json(|r| Some(&r.data))),
        required("log_generation", BigInt(|r| Some(r.log_generation))),
        required("shard", Integer(|r| Some(r.shard))),
        required("log_offset", BigInt(|r| Some(r.log_offset))),
        required("event_index", Integer(|r| Some(r.event_index))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[],
    indexes: &[
        unique("event", "(tenant, event_id)"),
        unique("place", "(tenant, log_generation, shard, log_offset, event_index)"),
        index("type", "(tenant, type, time DESC)"),
        index("time", "(tenant, time DESC)"),
        index("correlation", "(tenant, correlation_id)"),
        index("causation", "(tenant, causation_id)"),
        index("agent", "(tenant, agent_id) WHERE agent_id IS NOT NULL"),
        index("team", "(tenant, team_id) WHERE team_id IS NOT NULL"),
        index("trace", "(tenant, trace_id) WHERE trace_id IS NOT NULL"),
    ],
};
