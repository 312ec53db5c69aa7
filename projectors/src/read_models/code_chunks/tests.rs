//! Chunks come, change, move and go.

use std::collections::BTreeMap;

use schemas::source_file::{MovedChunk, SourceFileEvent, SourceFileIndexed, SourceFileRemoved};

use super::*;
use crate::given::{chunk, indexed, source_file, source_file_registered};

/// The rows after these events, by chunk.
fn rows(events: Vec<SourceFileEvent>) -> BTreeMap<String, CodeChunksRow> {
    let events: Vec<SourceFileEvent> =
        std::iter::once(source_file_registered().into()).chain(events).collect();
    let mut rows: BTreeMap<String, CodeChunksRow> = BTreeMap::new();
    for change in source_file(events).iter().flat_map(ChunkChange::of) {
        let row = rows.remove(&change.chunk_id);
        assert_eq!(CodeChunks::order(row.as_ref(), &change), Order::Next, "{change:?}");
        let row = CodeChunks::fold(row, &change).expect("a row never vanishes");
        assert_eq!(CodeChunks::order(Some(&row), &change), Order::Applied, "delivered twice");
        rows.insert(row.chunk_id.clone(), row);
    }
    rows
}

fn next(change: SourceFileIndexed) -> SourceFileIndexed {
    SourceFileIndexed { commit: Some("c0ffee2".into()), ..change }
}

/// KNOW-1, KNOW-6: a chunk is a row with its place and its words.
#[test]
fn a_chunk_is_a_row() {
    let rows = rows(vec![indexed().into()]);
    assert_eq!(rows.len(), 2);
    let row = &rows[&format!("{:032x}", 1)];
    assert_eq!((row.path.as_str(), row.start_line, row.end_line), ("src/lease.rs", 1, 4));
    assert_eq!((row.kind.as_str(), row.name.as_deref()), ("function_def", Some("renewLease")));
    assert_eq!((row.language.as_deref(), row.commit.as_deref()), (Some("rust"), Some("c0ffee1")));
    assert!(row.words.contains("'renew':") && row.words.contains("'renewlease':"), "{}", row.words);
    assert_eq!((row.version, row.removed), (2, false));
}

/// KNOW-7: what only moved keeps its text; what is gone is found no more, and its row tells when it went.
#[test]
fn chunks_change_move_and_go() {
    let moved = MovedChunk { id: format!("{:032x}", 1), start_line: 3, end_line: 6 };
    let none = || SourceFileIndexed { upserted: vec![], moved: vec![], removed: vec![], ..next(indexed()) };
    let after = SourceFileIndexed { moved: vec![moved], removed: vec![format!("{:032x}", 2)], ..none() };
    let rows_after = rows(vec![indexed().into(), after.clone().into()]);
    let (first, second) = (&rows_after[&format!("{:032x}", 1)], &rows_after[&format!("{:032x}", 2)]);
    assert_eq!((first.start_line, first.end_line, first.commit.as_deref()), (3, 6, Some("c0ffee2")));
    assert!(!first.text.is_empty() && !first.removed);
    assert_eq!(
        (second.removed, second.text.as_str(), second.words.as_str(), second.length),
        (true, "", "", 0)
    );

    let back = SourceFileIndexed { upserted: vec![chunk(2, "other", "again")], ..none() };
    let rows_back = rows(vec![indexed().into(), after.into(), back.into()]);
    let second = &rows_back[&format!("{:032x}", 2)];
    assert_eq!((second.removed, second.text.as_str(), second.version), (false, "again", 4));
}

/// A change of a chunk that was never there means that the table was changed by someone else.
#[test]
fn a_chunk_that_is_missing_is_a_gap() {
    let registered = source_file_registered();
    let (repository_id, path) = (registered.repository_id, registered.path.clone());
    let removed = SourceFileRemoved { repository_id, path, removed: vec![format!("{:032x}", 9)] };
    let events = source_file(vec![registered.into(), removed.into()]);
    let changes: Vec<_> = events.iter().flat_map(ChunkChange::of).collect();
    assert_eq!(CodeChunks::order(None, &changes[0]), Order::Gap);
}
