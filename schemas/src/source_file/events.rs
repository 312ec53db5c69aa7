//! Payloads of the source file events: `snake_case`, every field described.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commands::ChunkKind;
use crate::ids::AggregateId;

/// A file of a repository is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFileRegistered {
    /// Repository that it belongs to.
    pub repository_id: AggregateId,
    /// Path from the repository's root.
    pub path: String,
}

/// The chunks of a content that is new, against those before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFileIndexed {
    /// Repository that the file belongs to.
    pub repository_id: AggregateId,
    /// Path from the repository's root.
    pub path: String,
    /// SHA-256 of the file's bytes, lower-case hexadecimal.
    pub content_hash: String,
    /// Name and version of what split the file.
    pub chunker: String,
    /// Commit that the content was read at.
    pub commit: Option<String>,
    /// Language; absent = plain text.
    pub language: Option<String>,
    /// Size of the file in bytes.
    pub bytes: u32,
    /// Lines of the file.
    pub lines: u32,
    /// How many chunks the file has now.
    pub chunks: u32,
    /// Chunks that are new or have another content than before, whole.
    pub upserted: Vec<Chunk>,
    /// Chunks that only stand elsewhere in the file.
    pub moved: Vec<MovedChunk>,
    /// Ids of the chunks that are no more.
    pub removed: Vec<String>,
}

/// One chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chunk {
    /// Id within its file.
    pub id: String,
    /// The first 128 bits of the SHA-256 of the JSON array of kind, name, scope, signature, part and text, lower-case
    /// hexadecimal.
    pub hash: String,
    /// What it is.
    pub kind: ChunkKind,
    /// Name of the definition, or heading of the section.
    pub name: Option<String>,
    /// What encloses it.
    pub scope: String,
    /// Head of the definition.
    pub signature: String,
    /// The lines themselves.
    pub text: String,
    /// 0-based part of a long definition.
    pub part: u32,
    /// First line, 1-based.
    pub start_line: u32,
    /// Last line.
    pub end_line: u32,
}

/// A chunk that stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedChunk {
    /// Id within its file.
    pub id: String,
    /// First line, 1-based.
    pub start_line: u32,
    /// Last line.
    pub end_line: u32,
}

/// The file and all its chunks are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFileRemoved {
    /// Repository that the file belonged to.
    pub repository_id: AggregateId,
    /// Path from the repository's root.
    pub path: String,
    /// Ids of the chunks that are no more.
    pub removed: Vec<String>,
}
