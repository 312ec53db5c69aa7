//! `code_chunks`: every chunk of every source file with its words.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use migrations::table::Table;
use migrations::words::Words;
use migrations::{CODE_CHUNKS, CodeChunksRow};
use schemas::ids::Tenant;
use schemas::source_file::{Chunk, MovedChunk, SourceFileEvent, SourceFileIndexed};
use uuid::Uuid;

use crate::event::{Body, Event};
use crate::projection::{KeyArray, Order, Projection};

/// The read model.
#[derive(Debug)]
pub struct CodeChunks;

/// What an event of a file does to one of its chunks.
#[derive(Debug, Clone)]
pub struct ChunkChange {
    origin: Arc<Origin>,
    chunk_id: String,
    change: Change,
}

/// What all changes of one event share.
#[derive(Debug)]
struct Origin {
    tenant: Tenant,
    file_id: Uuid,
    repository_id: Uuid,
    path: String,
    language: Option<String>,
    commit: Option<String>,
    at: DateTime<Utc>,
    version: i64,
    event_id: Uuid,
    position: String,
}

#[derive(Debug, Clone)]
enum Change {
    Upserted(Box<Chunk>),
    Moved(MovedChunk),
    Removed,
}

impl ChunkChange {
    /// The changes of an event, each chunk once.
    #[must_use]
    pub fn of(event: &Event) -> Vec<Self> {
        match event.body() {
            Body::SourceFile(SourceFileEvent::SourceFileIndexed(indexed)) => Self::indexed(event, indexed),
            Body::SourceFile(SourceFileEvent::SourceFileRemoved(removed)) => {
                let origin = Arc::new(Origin::of(event, removed.repository_id.uuid(), &removed.path));
                removed.removed.iter().map(|id| Self::new(&origin, id, Change::Removed)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn indexed(event: &Event, indexed: &SourceFileIndexed) -> Vec<Self> {
        let origin = Arc::new(Origin {
            language: indexed.language.clone(),
            commit: indexed.commit.clone(),
            ..Origin::of(event, indexed.repository_id.uuid(), &indexed.path)
        });
        let upserted = indexed.upserted.iter();
        let upserted =
            upserted.map(|chunk| Self::new(&origin, &chunk.id, Change::Upserted(Box::new(chunk.clone()))));
        let moved =
            indexed.moved.iter().map(|chunk| Self::new(&origin, &chunk.id, Change::Moved(chunk.clone())));
        let removed = indexed.removed.iter().map(|id| Self::new(&origin, id, Change::Removed));
        upserted.chain(moved).chain(removed).collect()
    }

    fn new(origin: &Arc<Origin>, chunk_id: &str, change: Change) -> Self {
        Self { origin: Arc::clone(origin), chunk_id: chunk_id.to_owned(), change }
    }
}

impl Origin {
    fn of(event: &Event, repository_id: Uuid, path: &str) -> Self {
        Self {
            tenant: event.tenant().clone(),
            file_id: event.aggregate_id(),
            repository_id,
            path: path.to_owned(),
            language: None,
            commit: None,
            at: event.at(),
            version: event.version(),
            event_id: event.id(),
            position: event.position().to_string(),
        }
    }
}

/// Tenant, file, chunk.
type ChunkKey = (Tenant, Uuid, String);

impl Projection<ChunkChange> for CodeChunks {
    type Key = ChunkKey;
    type Row = CodeChunksRow;

    const NAME: &'static str = "code_chunks";
    const READS: &'static [&'static str] = &["source_file"];
    const TABLE: &'static Table<CodeChunksRow> = CODE_CHUNKS;

    fn key(change: &ChunkChange) -> Option<ChunkKey> {
        Some((change.origin.tenant.clone(), change.origin.file_id, change.chunk_id.clone()))
    }

    fn key_of(row: &CodeChunksRow) -> ChunkKey {
        (row.tenant.clone(), row.file_id, row.chunk_id.clone())
    }

    fn arrays(keys: &[ChunkKey]) -> Vec<KeyArray> {
        vec![
            KeyArray::Text(keys.iter().map(|(tenant, ..)| tenant.as_str().to_owned()).collect()),
            KeyArray::Uuid(keys.iter().map(|(_, file, _)| *file).collect()),
            KeyArray::Text(keys.iter().map(|(.., chunk)| chunk.clone()).collect()),
        ]
    }

    fn is_first(_: &ChunkChange) -> bool {
        // A chunk may come back: only the table tells whether it was there.
        false
    }

    fn order(row: Option<&CodeChunksRow>, change: &ChunkChange) -> Order {
        match (row, &change.change) {
            (Some(row), _) if row.version >= change.origin.version => Order::Applied,
            (None, Change::Moved(_) | Change::Removed) => Order::Gap,
            _ => Order::Next,
        }
    }

    fn fold(row: Option<CodeChunksRow>, change: &ChunkChange) -> Option<CodeChunksRow> {
        let origin = &*change.origin;
        let mut row = match (&change.change, row) {
            (Change::Upserted(chunk), _) => whole(origin, chunk),
            (Change::Moved(moved), Some(row)) => CodeChunksRow {
                start_line: moved.start_line.into(),
                end_line: moved.end_line.into(),
                commit: origin.commit.clone(),
                ..row
            },
            (Change::Removed, Some(row)) => {
                CodeChunksRow { text: String::new(), words: String::new(), length: 0, removed: true, ..row }
            }
            (Change::Moved(_) | Change::Removed, None) => return None,
        };
        row.updated_at = origin.at;
        row.version = origin.version;
        row.event_id = origin.event_id;
        row.position.clone_from(&origin.position);
        Some(row)
    }
}

fn whole(origin: &Origin, chunk: &Chunk) -> CodeChunksRow {
    let Words { vector, length } = Words::of(chunk.name.as_deref(), &chunk.scope, &origin.path, &chunk.text);
    CodeChunksRow {
        tenant: origin.tenant.clone(),
        file_id: origin.file_id,
        chunk_id: chunk.id.clone(),
        repository_id: origin.repository_id,
        path: origin.path.clone(),
        language: origin.language.clone(),
        commit: origin.commit.clone(),
        kind: chunk.kind.name().to_owned(),
        name: chunk.name.clone(),
        scope: chunk.scope.clone(),
        signature: chunk.signature.clone(),
        part: chunk.part.into(),
        start_line: chunk.start_line.into(),
        end_line: chunk.end_line.into(),
        hash: chunk.hash.clone(),
        text: chunk.text.clone(),
        words: vector,
        length,
        removed: false,
        updated_at: origin.at,
        version: origin.version,
        event_id: origin.event_id,
        position: origin.position.clone(),
    }
}

#[cfg(test)]
mod tests;
