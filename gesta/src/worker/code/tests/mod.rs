//! What the chunker promises: on samples, on anything, and on this repository.

mod promises;
mod samples;
mod sources;
mod texts;

use super::{Chunk, ChunkKind, FileChunks};

/// Cuts with all patience.
fn chunk(path: &str, text: &str) -> FileChunks {
    super::chunk(path, text, &|| false)
}
