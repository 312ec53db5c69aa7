//! A file of code cut by its definitions: what encloses others keeps what is left without them.

use std::ops::Range;

use super::ChunkKind;
use super::definitions::{Definition, definitions};
use super::draft::{Draft, Lines, trimmed};
use super::grammar::Grammar;

/// The chunks of a file of code; `None` if `give_up` says so while it is parsed.
pub(super) fn outline(
    grammar: &Grammar,
    path: &str,
    text: &str,
    give_up: &dyn Fn() -> bool,
) -> Option<Vec<Draft>> {
    let tree = grammar.parse(text, give_up)?;
    let mut definitions = definitions(grammar, path, text, &tree);
    let lines = Lines::of(text);
    for definition in &mut definitions {
        definition.range = whole_lines(text, &lines, &definition.range, grammar.spec.line_comment);
    }
    let left = if (grammar.spec.test_path)(path) { ChunkKind::Test } else { ChunkKind::Other };
    Some(drafts(text, definitions, left))
}

/// A range with the rest of its lines, where nothing else is on them.
fn whole_lines(text: &str, lines: &Lines, range: &Range<usize>, line_comment: &str) -> Range<usize> {
    let line = lines.start(range.start);
    let start = if text[line..range.start].trim().is_empty() { line } else { range.start };
    let rest = &text[range.end..lines.end(range.end)];
    let behind = rest.trim_start_matches([';', ',']).trim();
    let whole = behind.is_empty() || behind.starts_with(line_comment);
    start..if whole { range.end + rest.len() } else { range.end }
}

/// A definition that is not over yet, or the file.
struct Open {
    /// Index of the definition; the file has none.
    index: Option<usize>,
    end: usize,
}

/// Gives every definition what lies in it and in no other; what is in none is `left`.
fn drafts(text: &str, definitions: Vec<Definition>, left: ChunkKind) -> Vec<Draft> {
    let mut pieces: Vec<Vec<Range<usize>>> = vec![Vec::new(); definitions.len()];
    let mut rest: Vec<Range<usize>> = Vec::new();
    let mut give = |to: Option<usize>, range: Range<usize>| {
        let Some(piece) = trimmed(text, range) else { return };
        to.map_or(&mut rest, |index| &mut pieces[index]).push(piece);
    };
    let mut open = vec![Open { index: None, end: text.len() }];
    let mut at = 0;
    let ranges = definitions.iter().map(|definition| &definition.range).enumerate();
    for (index, range) in
        ranges.map(|(index, range)| (Some(index), range.clone())).chain([(None, text.len()..text.len())])
    {
        while let Some(innermost) = open.pop_if(|open| open.end <= range.start) {
            give(innermost.index, at..innermost.end);
            at = at.max(innermost.end);
        }
        let Some(innermost) = open.last() else { break };
        // A broken tree can hold definitions that overlap: the first has the text.
        let (start, end) = (range.start.max(at), range.end.min(innermost.end));
        if start < end {
            give(innermost.index, at..start);
            open.push(Open { index, end });
            at = start;
        }
    }
    let named = definitions.into_iter().zip(pieces).filter(|(_, pieces)| !pieces.is_empty());
    let mut drafts: Vec<_> = named.map(|(definition, pieces)| definition.draft(pieces)).collect();
    drafts.extend(rest.into_iter().filter_map(|piece| Draft::nameless(text, left, piece)));
    drafts.sort_by_key(|draft| draft.pieces[0].start);
    tidied(text, drafts)
}

impl Definition {
    fn draft(self, pieces: Vec<Range<usize>>) -> Draft {
        let kind = if self.test && self.kind != ChunkKind::Import { ChunkKind::Test } else { self.kind };
        let name = (!self.name.is_empty()).then_some(self.name);
        Draft { kind, name, scope: self.scope, signature: self.signature, pieces, part: 0 }
    }
}

/// Punctuation that is left between definitions goes to the one before.
fn tidied(text: &str, drafts: Vec<Draft>) -> Vec<Draft> {
    let mut kept: Vec<Draft> = Vec::new();
    for draft in drafts {
        let says_nothing = |piece: &Range<usize>| !text[piece.clone()].contains(char::is_alphanumeric);
        match kept.last_mut() {
            Some(last) if draft.name.is_none() && draft.pieces.iter().all(says_nothing) => {
                last.pieces.extend(draft.pieces);
            }
            _ => kept.push(draft),
        }
    }
    kept
}
