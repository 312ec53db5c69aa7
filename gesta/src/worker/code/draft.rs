//! Chunks before they have their text: ranges of the file, brought to size.

use std::ops::Range;

use super::{ChunkKind, MAX_CHUNK_BYTES, MAX_CHUNKS};

/// Text of merged neighbours in bytes, tried in this order until the chunks are few enough.
const MERGED_BYTES: [usize; 5] = [512, 1_024, 2_048, 4_096, MAX_CHUNK_BYTES];

/// A chunk to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) kind: ChunkKind,
    pub(super) name: Option<String>,
    pub(super) scope: String,
    pub(super) signature: String,
    /// Byte ranges of its text, ascending, without blank lines at either end; never empty.
    pub(super) pieces: Vec<Range<usize>>,
    pub(super) part: u32,
}

impl Draft {
    /// A draft without a name; `None` if there is nothing but white space.
    pub(super) fn nameless(text: &str, kind: ChunkKind, range: Range<usize>) -> Option<Self> {
        let pieces = vec![trimmed(text, range)?];
        Some(Self { kind, name: None, scope: String::new(), signature: String::new(), pieces, part: 0 })
    }

    /// Bytes of its text.
    fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len() + 1).sum::<usize>() - 1
    }
}

/// Where the lines of a text begin.
pub(super) struct Lines {
    starts: Vec<usize>,
    bytes: usize,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { starts, bytes: text.len() }
    }

    /// Number of the line that has the byte `at`, from 1.
    pub(super) fn number(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Where the line of `at` begins.
    pub(super) fn start(&self, at: usize) -> usize {
        self.starts[self.number(at) - 1]
    }

    /// Where the line of `at` ends, without its line feed.
    pub(super) fn end(&self, at: usize) -> usize {
        self.starts.get(self.number(at)).map_or(self.bytes, |next| next - 1)
    }
}

/// `range` without the blank lines and the white space at its ends; the indentation of its first line stays.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let slice = &text[range.clone()];
    let lead = slice.len() - slice.trim_start().len();
    let end = slice.trim_end().len();
    let at_line_start = range.start == 0 || text.as_bytes()[range.start - 1] == b'\n';
    let start = match slice[..lead].rfind('\n') {
        Some(newline) => newline + 1,
        None if at_line_start => 0,
        None => lead,
    };
    (start < end).then(|| range.start + start..range.start + end)
}

/// Cuts a range into pieces of at most `limit` bytes: behind the last blank line of the second half, or
/// the last line, or the last character that fits.
pub(super) fn split(text: &str, range: Range<usize>, limit: usize) -> Vec<Range<usize>> {
    let (mut pieces, mut at) = (Vec::new(), range.start);
    while range.end - at > limit {
        let window = &text[at..text.floor_char_boundary(at + limit)];
        let paragraph = window.rfind("\n\n").filter(|end| *end >= limit / 2).map(|end| end + 2);
        let line = || window.rfind('\n').map(|end| end + 1);
        let end = at + paragraph.or_else(line).unwrap_or(window.len());
        pieces.extend(trimmed(text, at..end));
        at = end;
    }
    pieces.extend(trimmed(text, at..range.end));
    pieces
}

/// Brings drafts to the limits: in order, none too long, not too many.
pub(super) fn fit(text: &str, mut drafts: Vec<Draft>) -> Vec<Draft> {
    drafts.sort_by_key(|draft| draft.pieces[0].start);
    let mut drafts: Vec<_> = drafts.into_iter().flat_map(|draft| parts(text, draft)).collect();
    drafts.sort_by_key(|draft| draft.pieces[0].start);
    for limit in MERGED_BYTES {
        if drafts.len() <= MAX_CHUNKS {
            break;
        }
        drafts = merged(drafts, limit);
    }
    for draft in &mut drafts {
        draft.pieces.sort_by_key(|piece| piece.start);
    }
    drafts
}

/// The parts of a draft, each short enough.
fn parts(text: &str, draft: Draft) -> Vec<Draft> {
    if draft.bytes() <= MAX_CHUNK_BYTES {
        return vec![draft];
    }
    let mut parts: Vec<Draft> = Vec::new();
    for piece in draft.pieces.iter().flat_map(|piece| split(text, piece.clone(), MAX_CHUNK_BYTES)) {
        match parts.last_mut() {
            Some(part) if part.bytes() + 1 + piece.len() <= MAX_CHUNK_BYTES => part.pieces.push(piece),
            _ => {
                let part = u32::try_from(parts.len()).unwrap_or(u32::MAX);
                parts.push(Draft { pieces: vec![piece], part, ..draft.clone() });
            }
        }
    }
    parts
}

/// Merges neighbours while their text stays within `limit`.
fn merged(drafts: Vec<Draft>, limit: usize) -> Vec<Draft> {
    let mut kept: Vec<Draft> = Vec::new();
    for draft in drafts {
        match kept.last_mut() {
            Some(last) if last.bytes() + 1 + draft.bytes() <= limit => last.absorb(draft),
            _ => kept.push(draft),
        }
    }
    kept
}

impl Draft {
    /// Takes a neighbour in. What they have in common stays.
    fn absorb(&mut self, other: Self) {
        if self.kind != other.kind {
            self.kind = ChunkKind::Other;
        }
        if self.name != other.name {
            self.name = None;
        }
        if self.scope != other.scope {
            self.scope.clear();
        }
        self.signature.clear();
        self.part = 0;
        self.pieces.extend(other.pieces);
    }
}
