//! `source_file_list`: every file of every repository with its present state.

use migrations::table::Table;
use migrations::{SOURCE_FILE_LIST, SourceFileListRow};
use schemas::source_file::{SourceFileEvent, SourceFileIndexed, SourceFileRegistered};

use crate::event::{Body, Event};
use crate::projection::{AggregateKey, KeyArray, Order, Projection, aggregate_arrays, aggregate_key};
use crate::stage;

/// The read model.
#[derive(Debug)]
pub struct SourceFileList;

impl Projection for SourceFileList {
    type Key = AggregateKey;
    type Row = SourceFileListRow;

    const NAME: &'static str = "source_file_list";
    const READS: &'static [&'static str] = &["source_file"];
    const TABLE: &'static Table<SourceFileListRow> = SOURCE_FILE_LIST;

    fn key(event: &Event) -> Option<AggregateKey> {
        matches!(event.body(), Body::SourceFile(_)).then(|| aggregate_key(event))
    }

    fn key_of(row: &SourceFileListRow) -> AggregateKey {
        (row.tenant.clone(), row.id)
    }

    fn arrays(keys: &[AggregateKey]) -> Vec<KeyArray> {
        aggregate_arrays(keys)
    }

    fn is_first(event: &Event) -> bool {
        event.version() == 1
    }

    fn order(row: Option<&SourceFileListRow>, event: &Event) -> Order {
        Order::of(row.map(|row| row.version), event)
    }

    fn fold(row: Option<SourceFileListRow>, event: &Event) -> Option<SourceFileListRow> {
        let Body::SourceFile(body) = event.body() else { return row };
        let mut row = match (row, body) {
            (None, SourceFileEvent::SourceFileRegistered(registered)) => first(event, registered),
            (Some(row), _) => row,
            (None, _) => return None,
        };
        match body {
            SourceFileEvent::SourceFileRegistered(_) => {}
            SourceFileEvent::SourceFileIndexed(indexed) => index(&mut row, indexed),
            SourceFileEvent::SourceFileRemoved(_) => row.chunks = 0,
        }
        if let Some(state) = stage::after(Some(&row.state), event.body()) {
            state.clone_into(&mut row.state);
        }
        row.updated_at = event.at();
        row.version = event.version();
        row.event_id = event.id();
        row.position = event.position().to_string();
        Some(row)
    }
}

fn first(event: &Event, registered: &SourceFileRegistered) -> SourceFileListRow {
    SourceFileListRow {
        tenant: event.tenant().clone(),
        id: event.aggregate_id(),
        repository_id: registered.repository_id.uuid(),
        path: registered.path.clone(),
        state: "registered".to_owned(),
        language: None,
        bytes: 0,
        lines: 0,
        chunks: 0,
        content_hash: None,
        chunker: None,
        commit: None,
        registered_at: event.at(),
        updated_at: event.at(),
        version: event.version(),
        event_id: event.id(),
        position: event.position().to_string(),
    }
}

fn index(row: &mut SourceFileListRow, indexed: &SourceFileIndexed) {
    row.language.clone_from(&indexed.language);
    row.bytes = indexed.bytes.into();
    row.lines = indexed.lines.into();
    row.chunks = indexed.chunks.into();
    row.content_hash = Some(indexed.content_hash.clone());
    row.chunker = Some(indexed.chunker.clone());
    row.commit.clone_from(&indexed.commit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{indexed, last, source_file, source_file_registered};
    use schemas::source_file::SourceFileRemoved;

    /// KNOW-1: a file from its registration to its end.
    #[test]
    fn a_file_is_registered_indexed_and_removed() {
        let registered = source_file_registered();
        let row = last::<SourceFileList>(&source_file(vec![registered.clone().into()]));
        assert_eq!((row.state.as_str(), row.chunks, row.path.as_str()), ("registered", 0, "src/lease.rs"));
        let row = last::<SourceFileList>(&source_file(vec![registered.clone().into(), indexed().into()]));
        assert_eq!((row.state.as_str(), row.chunks, row.lines), ("indexed", 2, 9));
        assert_eq!((row.language.as_deref(), row.commit.as_deref()), (Some("rust"), Some("c0ffee1")));
        let (repository_id, path) = (registered.repository_id, registered.path.clone());
        let removed = SourceFileRemoved { repository_id, path, removed: vec![] };
        let row =
            last::<SourceFileList>(&source_file(vec![registered.into(), indexed().into(), removed.into()]));
        assert_eq!((row.state.as_str(), row.chunks, row.version), ("removed", 0, 3));
    }
}
