//! `state_transitions`: every change of an aggregate's state (PLAT-18), one row each.

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::table::Get::{BigInt, Instant, Text, Uuid as Id};
use crate::table::{Table, index, optional, required};

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StateTransitionsRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Aggregate type.
    pub aggregate_type: String,
    /// Id of the aggregate.
    pub aggregate_id: Uuid,
    /// Version of the event that changed the state.
    pub version: i64,
    /// State before; none at the creation.
    pub from_state: Option<String>,
    /// State after.
    pub to_state: String,
    /// Type of the event.
    pub event_type: String,
    /// Type of the command.
    pub command_type: String,
    /// Id of the command.
    pub command_id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Who did it, `kind/id`.
    pub actor: String,
    /// Correlation id of the original request.
    pub correlation_id: String,
    /// Id of the event.
    pub event_id: Uuid,
    /// Position of the event.
    pub position: String,
}

/// The table. The current row of an aggregate is the one with the greatest version.
pub const STATE_TRANSITIONS: &Table<StateTransitionsRow> = &Table {
    name: "state_transitions",
    key: &["tenant", "aggregate_id", "version"],
    fold_key: 2,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("aggregate_type", Text(|r| Some(&r.aggregate_type))),
        required("aggregate_id", Id(|r| Some(r.aggregate_id))),
        required("version", BigInt(|r| Some(r.version))),
        optional("from_state", Text(|r| r.from_state.as_deref())),
        required("to_state", Text(|r| Some(&r.to_state))),
        required("event_type", Text(|r| Some(&r.event_type))),
        required("command_type", Text(|r| Some(&r.command_type))),
        required("command_id", Text(|r| Some(&r.command_id))),
        required("at", Instant(|r| Some(r.at))),
        required("actor", Text(|r| Some(&r.actor))),
        required("correlation_id", Text(|r| Some(&r.correlation_id))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[],
    indexes: &[index("at", "(tenant, at DESC)")],
};
