//! A new content against the one before it: which chunks are new or changed, which only moved, which are gone.

use std::collections::BTreeMap;

use schemas::source_file::{Chunk, IndexSourceFile, MovedChunk, NewChunk, SourceFileIndexed};
use sha2::{Digest, Sha256};

use super::{Decision, Indexed, Life, Place, SourceFile};
use crate::aggregates::Refusal;

/// Takes in a content; the same one, split by the same chunker, changes nothing.
pub(super) fn index(file: &SourceFile, command: &IndexSourceFile) -> Decision {
    if let Life::Indexed(known) = &file.life
        && known.content_hash == command.content_hash
        && known.chunker == command.chunker
    {
        return Ok(Vec::new());
    }
    check(command)?;
    let none = BTreeMap::new();
    let before = file.chunks().unwrap_or(&none);
    let (mut upserted, mut moved) = (Vec::new(), Vec::new());
    for chunk in &command.chunks {
        let hash = hash(chunk);
        match before.get(&chunk.id) {
            Some(place) if place.hash == hash => {
                if (place.start_line, place.end_line) != (chunk.start_line, chunk.end_line) {
                    let (start_line, end_line) = (chunk.start_line, chunk.end_line);
                    moved.push(MovedChunk { id: chunk.id.clone(), start_line, end_line });
                }
            }
            _ => upserted.push(whole(chunk, hash)),
        }
    }
    let stays = |id: &&String| command.chunks.iter().any(|chunk| chunk.id == **id);
    let removed = before.keys().filter(|id| !stays(id)).cloned().collect();
    Ok(vec![
        SourceFileIndexed {
            repository_id: file.repository_id,
            path: file.path.clone(),
            content_hash: command.content_hash.clone(),
            chunker: command.chunker.clone(),
            commit: command.commit.clone(),
            language: command.language.clone(),
            bytes: command.bytes,
            lines: command.lines,
            chunks: u32::try_from(command.chunks.len()).expect("the schema bounds the chunks"),
            upserted,
            moved,
            removed,
        }
        .into(),
    ])
}

/// Chunks have ids of their own, and lie in the file.
fn check(command: &IndexSourceFile) -> Result<(), Refusal> {
    let guard = |reason| Err(Refusal::Guard { field: "/chunks", reason });
    let mut ids = BTreeMap::new();
    for (index, chunk) in command.chunks.iter().enumerate() {
        if let Some(first) = ids.insert(&chunk.id, index) {
            return guard(format!("chunks {first} and {index} have the same id {}", chunk.id));
        }
        if chunk.start_line > chunk.end_line || chunk.end_line > command.lines {
            let (start, end) = (chunk.start_line, chunk.end_line);
            return guard(format!(
                "chunk {index} spans lines {start} to {end} of a file of {} lines",
                command.lines
            ));
        }
    }
    Ok(())
}

fn whole(chunk: &NewChunk, hash: String) -> Chunk {
    let NewChunk { id, kind, name, scope, signature, text, part, start_line, end_line } = chunk.clone();
    Chunk { id, hash, kind, name, scope, signature, text, part, start_line, end_line }
}

/// As [`Chunk::hash`] says.
fn hash(chunk: &NewChunk) -> String {
    let NewChunk { kind, name, scope, signature, part, text, .. } = chunk;
    let content = serde_json::to_vec(&(kind, name, scope, signature, part, text));
    let digest = Sha256::digest(content.expect("texts and numbers can be written as JSON"));
    digest.iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}

/// The file with its new chunks.
pub(super) fn indexed(file: SourceFile, event: &SourceFileIndexed) -> SourceFile {
    let mut chunks = match file.life {
        Life::Indexed(indexed) => indexed.chunks,
        Life::Registered | Life::Removed => BTreeMap::new(),
    };
    for id in &event.removed {
        chunks.remove(id);
    }
    for chunk in &event.moved {
        if let Some(place) = chunks.get_mut(&chunk.id) {
            (place.start_line, place.end_line) = (chunk.start_line, chunk.end_line);
        }
    }
    chunks.extend(event.upserted.iter().map(|chunk| {
        let Chunk { id, hash, start_line, end_line, .. } = chunk.clone();
        (id, Place { hash, start_line, end_line })
    }));
    let (content_hash, chunker) = (event.content_hash.clone(), event.chunker.clone());
    let life = Life::Indexed(Indexed { content_hash, chunker, chunks });
    SourceFile { life, ..file }
}
