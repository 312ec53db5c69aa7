//! `source_file_list`: every file of every repository, one row each.

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::table::Get::{BigInt, Instant, Text, Uuid as Id};
use crate::table::{Table, index, optional, required};

/// One source file.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SourceFileListRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Id of the file.
    pub id: Uuid,
    /// Repository that it belongs to.
    pub repository_id: Uuid,
    /// Path from the repository's root.
    pub path: String,
    /// `registered`, `indexed` or `removed`.
    pub state: String,
    /// Language; none = plain text, or not indexed yet.
    pub language: Option<String>,
    /// Size in bytes; 0 before it was indexed.
    pub bytes: i64,
    /// Lines.
    pub lines: i64,
    /// Chunks that are found now.
    pub chunks: i64,
    /// SHA-256 of its content, hexadecimal.
    pub content_hash: Option<String>,
    /// What split it.
    pub chunker: Option<String>,
    /// Commit that the content was read at.
    pub commit: Option<String>,
    /// When it was registered.
    pub registered_at: DateTime<Utc>,
    /// When its last event happened.
    pub updated_at: DateTime<Utc>,
    /// Version of the file.
    pub version: i64,
    /// Id of the event that last changed the row.
    pub event_id: Uuid,
    /// Position of that event.
    pub position: String,
}

/// The table.
pub const SOURCE_FILE_LIST: &Table<SourceFileListRow> = &Table {
    name: "source_file_list",
    key: &["tenant", "id"],
    fold_key: 2,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("id", Id(|r| Some(r.id))),
        required("repository_id", Id(|r| Some(r.repository_id))),
        required("path", Text(|r| Some(&r.path))),
        required("state", Text(|r| Some(&r.state))),
        optional("language", Text(|r| r.language.as_deref())),
        required("bytes", BigInt(|r| Some(r.bytes))),
        required("lines", BigInt(|r| Some(r.lines))),
        required("chunks", BigInt(|r| Some(r.chunks))),
        optional("content_hash", Text(|r| r.content_hash.as_deref())),
        optional("chunker", Text(|r| r.chunker.as_deref())),
        optional("commit", Text(|r| r.commit.as_deref())),
        required("registered_at", Instant(|r| Some(r.registered_at))),
        required("updated_at", Instant(|r| Some(r.updated_at))),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[],
    indexes: &[index("path", "(tenant, repository_id, path, id)")],
};
