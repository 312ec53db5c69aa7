//! How a value of a row is followed through the events of its stream.
//!
//! The folds live with the projections, their results are shown by queries, and neither crate knows the other:
//! the executable hands the one to the other in this form.

use std::error::Error;

use serde_json::Value;
use uuid::Uuid;

use crate::EventJournalRow;

/// Takes the events of one stream in order, the first one first; after each it gives the value that the column
/// of the row has, or none while the row does not exist. An error says which event cannot be read.
pub type ColumnTrace =
    Box<dyn FnMut(&EventJournalRow) -> Result<Option<Value>, Box<dyn Error + Send + Sync>> + Send>;

/// The trace of a column, given table, column and id of the row (a lease's id for `task_attempts`, an
/// event's for `state_transitions`, else the aggregate's); none when no single stream makes the rows of that table, or it has no such column.
pub type Tracer = fn(&str, &str, Uuid) -> Option<ColumnTrace>;
