//! `code_chunks`: every chunk of every source file, and the words that it is found by (KNOW-1, KNOW-6).

mod find;

use chrono::{DateTime, Utc};
use schemas::ids::Tenant;
use uuid::Uuid;

use crate::table::Get::{BigInt, Boolean, Instant, Integer, Text, Uuid as Id};
use crate::table::{Generated, Table, index, optional, required};

pub(crate) use find::create;

/// One chunk. The row of a chunk that is gone stays, without its text, so that its history can be told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CodeChunksRow {
    /// Tenant.
    #[sqlx(try_from = "String")]
    pub tenant: Tenant,
    /// Id of the source file.
    pub file_id: Uuid,
    /// Id of the chunk within its file.
    pub chunk_id: String,
    /// Repository that the file belongs to.
    pub repository_id: Uuid,
    /// Path from the repository's root.
    pub path: String,
    /// Language of the file; none = plain text.
    pub language: Option<String>,
    /// Commit at which the chunk was last read, the one that a citation names.
    pub commit: Option<String>,
    /// What it is, for example `function_def` (KNOW-2).
    pub kind: String,
    /// Name of the definition, or heading of the section.
    pub name: Option<String>,
    /// What encloses it.
    pub scope: String,
    /// Head of the definition.
    pub signature: String,
    /// 0-based part of a long definition.
    pub part: i64,
    /// First line, 1-based.
    pub start_line: i64,
    /// Last line.
    pub end_line: i64,
    /// Hash of its content.
    pub hash: String,
    /// The lines themselves; empty once it is gone.
    pub text: String,
    /// Its words with their places, as Postgres reads a `tsvector` (see [`crate::words`]); empty once it is gone.
    pub words: String,
    /// How many words it has.
    pub length: i32,
    /// Whether it is gone.
    pub removed: bool,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Version of the file: of the event that last changed the row.
    pub version: i64,
    /// Id of that event.
    pub event_id: Uuid,
    /// Position of that event.
    pub position: String,
}

/// The table.
pub const CODE_CHUNKS: &Table<CodeChunksRow> = &Table {
    name: "code_chunks",
    key: &["tenant", "file_id", "chunk_id"],
    fold_key: 3,
    guard: "version",
    columns: &[
        required("tenant", Text(|r| Some(r.tenant.as_str()))),
        required("file_id", Id(|r| Some(r.file_id))),
        required("chunk_id", Text(|r| Some(&r.chunk_id))),
        required("repository_id", Id(|r| Some(r.repository_id))),
        required("path", Text(|r| Some(&r.path))),
        optional("language", Text(|r| r.language.as_deref())),
        optional("commit", Text(|r| r.commit.as_deref())),
        required("kind", Text(|r| Some(&r.kind))),
        optional("name", Text(|r| r.name.as_deref())),
        required("scope", Text(|r| Some(&r.scope))),
        required("signature", Text(|r| Some(&r.signature))),
        required("part", BigInt(|r| Some(r.part))),
        required("start_line", BigInt(|r| Some(r.start_line))),
        required("end_line", BigInt(|r| Some(r.end_line))),
        required("hash", Text(|r| Some(&r.hash))),
        required("text", Text(|r| Some(&r.text))),
        required("words", Text(|r| Some(&r.words))),
        required("length", Integer(|r| Some(r.length))),
        required("removed", Boolean(|r| Some(r.removed))),
        required("updated_at", Instant(|r| Some(r.updated_at))),
        required("version", BigInt(|r| Some(r.version))),
        required("event_id", Id(|r| Some(r.event_id))),
        required("position", Text(|r| Some(&r.position))),
    ],
    generated: &[Generated { name: "lexemes", sql_type: "tsvector", expression: "words::tsvector" }],
    indexes: &[index("lexemes", "USING gin (lexemes)"), index("repository", "(tenant, repository_id, path)")],
};
