//! `repository_list`: every repository whose files are indexed, one row each.

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::table::Get::{BigInt, Instant, Text, Uuid as Id};
use crate::table::{Table, index, optional, required};

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RepositoryListRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Id of the repository.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Where it comes from.
    pub origin: Option<String>,
    /// `registered` or `retired`.
    pub state: String,
    /// Why it was retired.
    pub reason: Option<String>,
    /// When it was registered.
    pub registered_at: DateTime<Utc>,
    /// When its last event happened.
    pub updated_at: DateTime<Utc>,
    /// Version of the repository.
    pub version: i64,
    /// Id of the event that last changed the row.
    pub event_id: Uuid,
    /// Position of that event.
    pub position: String,
}

/// The table.
pub const REPOSITORY_LIST: &Table<RepositoryListRow> = &Table {
    name: "repository_list",
    key: &["tenant", "id"],
    fold_key: 2,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("id", Id(|r| Some(r.id))),
        required("name", Text(|r| Some(&r.name))),
        optional("origin", Text(|r| r.origin.as_deref())),
        required("state", Text(|r| Some(&r.state))),
        optional("reason", Text(|r| r.reason.as_deref())),
        required("registered_at", Instant(|r| Some(r.registered_at))),
        required("updated_at", Instant(|r| Some(r.updated_at))),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[],
    indexes: &[index("name", "(tenant, name, id)")],
};
