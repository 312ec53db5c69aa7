//! What a chunk is known by, and its text and lines.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::draft::{Draft, Lines};
use super::{Chunk, ChunkKind};

/// Bytes of a hash that are kept.
const HASH_BYTES: usize = 16;

/// What names a chunk inside its file, but for its place among those of the same name.
type Name = (ChunkKind, String, Option<String>, u32);

/// Gives drafts their text, lines and ids.
pub(super) fn finish(text: &str, drafts: Vec<Draft>) -> Vec<Chunk> {
    let lines = Lines::of(text);
    let line = |at| u32::try_from(lines.number(at)).unwrap_or(u32::MAX);
    let mut seen: HashMap<Name, u32> = HashMap::new();
    drafts
        .into_iter()
        .map(|draft| {
            let ordinal =
                seen.entry((draft.kind, draft.scope.clone(), draft.name.clone(), draft.part)).or_default();
            let id = id(&draft, *ordinal);
            *ordinal += 1;
            let pieces: Vec<_> = draft.pieces.iter().map(|piece| &text[piece.clone()]).collect();
            let joined = pieces.join("\n");
            let last = draft.pieces.iter().map(|piece| piece.end).max().unwrap_or(1);
            Chunk {
                id,
                kind: draft.kind,
                name: draft.name,
                scope: draft.scope,
                signature: draft.signature,
                text: joined,
                part: draft.part,
                start_line: line(draft.pieces[0].start),
                end_line: line(last - 1),
            }
        })
        .collect()
}

fn id(draft: &Draft, ordinal: u32) -> String {
    let name = draft.name.as_deref().unwrap_or_default();
    let Draft { kind, scope, part, .. } = draft;
    // No name or scope holds a NUL.
    let named = format!("{}\0{scope}\0{name}\0{part}\0{ordinal}", kind.name());
    short(Sha256::new().chain_update(named))
}

fn short(hash: Sha256) -> String {
    hash.finalize()[..HASH_BYTES].iter().map(|octet| format!("{octet:02x}")).collect()
}

/// `text` in one line of at most `most` characters, without control characters.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        // Four bytes a character at most: what follows would be cut off anyway.
        if line.len() > most * 4 {
            break;
        }
    }
    match line.char_indices().nth(most) {
        Some((end, _)) => line[..end].trim_end().to_owned(),
        None => line,
    }
}
