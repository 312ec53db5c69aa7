//! What one column of a row held after each event of its stream: the folds, run over the journal.

use migrations::EventJournalRow;
use migrations::trace::ColumnTrace;
use serde_json::Value;
use uuid::Uuid;

use crate::projection::Projection;
use crate::read_models::{
    AgentList, RepositoryList, SourceFileList, StateTransitions, TaskAttempts, TaskList, read_event,
};

/// The trace of a column ([`migrations::trace::Tracer`]). It gives what the projection would have written, for
/// it folds with the same function.
#[must_use]
pub fn trace(table: &str, column: &str, id: Uuid) -> Option<ColumnTrace> {
    match table {
        TaskList::NAME => follow::<TaskList>(column, move |row| row.id == id),
        AgentList::NAME => follow::<AgentList>(column, move |row| row.id == id),
        RepositoryList::NAME => follow::<RepositoryList>(column, move |row| row.id == id),
        SourceFileList::NAME => follow::<SourceFileList>(column, move |row| row.id == id),
        TaskAttempts::NAME => follow::<TaskAttempts>(column, move |row| row.lease_id == id),
        StateTransitions::NAME => follow::<StateTransitions>(column, move |row| row.event_id == id),
        _ => None,
    }
}

fn follow<P: Projection>(
    column: &str,
    wanted: impl Fn(&P::Row) -> bool + Send + 'static,
) -> Option<ColumnTrace> {
    let column = P::TABLE.columns.iter().find(|own| own.name == column)?;
    let mut row: Option<P::Row> = None;
    let mut value: Option<Value> = None;
    Some(Box::new(move |journalled: &EventJournalRow| {
        let event = read_event(journalled)?;
        if P::key(&event).is_some() {
            row = P::fold(row.take(), &event);
            // A table that keeps former rows moves on to the next one; the wanted one stays as it was.
            if let Some(row) = row.as_ref().filter(|row| wanted(row)) {
                value = Some(column.value(row));
            }
        }
        Ok(value.clone())
    }))
}

#[cfg(test)]
mod tests;
