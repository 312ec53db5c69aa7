//! Bodies of the source file commands: camelCase, closed, every field described.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::AggregateId;

/// Most chunks of one file.
pub const MAX_CHUNKS: usize = 900;
/// Longest text of a chunk, in characters.
pub const MAX_CHUNK_CHARS: usize = 8 * 1024;

/// What a chunk is (KNOW-2, D-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChunkKind {
    /// What the file imports.
    Import,
    /// A class, or the head of one: struct, enum, module, implementation.
    ClassDef,
    /// A function or method.
    FunctionDef,
    /// An interface, trait or protocol.
    InterfaceDef,
    /// A type alias or another named type.
    TypeDef,
    /// A section of a document.
    DocSection,
    /// Configuration.
    Config,
    /// A test.
    Test,
    /// Anything else.
    Other,
}

impl ChunkKind {
    /// The name in events, rows and filters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::ClassDef => "class_def",
            Self::FunctionDef => "function_def",
            Self::InterfaceDef => "interface_def",
            Self::TypeDef => "type_def",
            Self::DocSection => "doc_section",
            Self::Config => "config",
            Self::Test => "test",
            Self::Other => "other",
        }
    }
}

/// Registers a file of a repository. Its `Idempotency-Key` decides its id: whoever indexes derives the key from
/// repository and path, so that a second registration finds the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterSourceFile {
    /// Repository that it belongs to.
    pub repository_id: AggregateId,
    /// Path from the repository's root, parts separated by `/`; no part is empty, `.` or `..`.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
}

/// Hands in the chunks of a file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IndexSourceFile {
    /// SHA-256 of the file's bytes, lower-case hexadecimal.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub content_hash: String,
    /// Name and version of what split the file; another one splits again.
    #[schemars(length(min = 1, max = 64))]
    pub chunker: String,
    /// Commit of the repository that the content was read at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{7,64}$"))]
    pub commit: Option<String>,
    /// Language, for example `rust`; absent = plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub language: Option<String>,
    /// Size of the file in bytes.
    pub bytes: u32,
    /// Lines of the file.
    pub lines: u32,
    /// Every chunk of the content, in the order of the file.
    #[schemars(length(max = MAX_CHUNKS))]
    pub chunks: Vec<NewChunk>,
}

/// One chunk as it is handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewChunk {
    /// Id within its file, made of what it is called and not of where it stands: 32 hexadecimal digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{32}$"))]
    pub id: String,
    /// What it is.
    pub kind: ChunkKind,
    /// Name of the definition, or heading of the section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// What encloses it, for example a module and a type; empty at the top.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub scope: String,
    /// Head of the definition without its body, on one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub signature: String,
    /// The lines themselves.
    #[schemars(length(max = MAX_CHUNK_CHARS))]
    pub text: String,
    /// 0-based part of a definition that is longer than a chunk may be.
    #[serde(default)]
    pub part: u32,
    /// First line, 1-based.
    #[schemars(range(min = 1))]
    pub start_line: u32,
    /// Last line.
    #[schemars(range(min = 1))]
    pub end_line: u32,
}

/// The file is no longer in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveSourceFile {}
