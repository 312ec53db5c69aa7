//! From one field of a row back to the event that last changed it.

use async_graphql::Context;
use migrations::trace::Tracer;
use migrations::{AGENT_LIST, QUEUE_DEPTH, STATE_TRANSITIONS, TASK_ATTEMPTS, TASK_LIST};
use schemas::problem::Code;
use serde_json::Value;
use uuid::Uuid;

use super::{ProvenanceTable, Source};
use crate::limits::MAX_TRACED_EVENTS;
use crate::problem::{self, Problem};
use crate::schema::{Fallible, event_journal, reader};

/// Checks that the table has the field and that its last change can be told.
///
/// # Errors
/// `invalid_query`, with the fields that there are.
pub(super) fn check(table: ProvenanceTable, field: &str) -> Fallible<()> {
    let columns = match table {
        ProvenanceTable::TaskList => TASK_LIST.column_names(),
        ProvenanceTable::TaskAttempts => TASK_ATTEMPTS.column_names(),
        ProvenanceTable::AgentList => AGENT_LIST.column_names(),
        ProvenanceTable::QueueDepth => QUEUE_DEPTH.column_names(),
        ProvenanceTable::StateTransitions => STATE_TRANSITIONS.column_names(),
    };
    let invalid = |detail| Err(Problem::new(Code::InvalidQuery, detail));
    let name = table.model().name();
    if !columns.contains(&field) {
        return invalid(format!("`field` is none of `{name}`, which has {}", columns.join(", ")));
    }
    if table == ProvenanceTable::QueueDepth {
        let detail = "`field` is not told for `queue_depth`: its counters add up the events of many tasks";
        return invalid(detail.to_owned());
    }
    Ok(())
}

/// The event after which the field had another value than before it, the last one of those up to the row's
/// own version, and the value since then.
///
/// # Errors
/// `query_too_costly` when the stream is too long to follow, `not_ready` while the journal is behind the row.
pub(super) async fn last_change(
    ctx: &Context<'_>,
    table: ProvenanceTable,
    id: Uuid,
    row: &Source,
    field: &str,
) -> Fallible<(Source, Value)> {
    if row.version > MAX_TRACED_EVENTS {
        let detail = format!(
            "the row has {} events behind it; a field is followed through at most {MAX_TRACED_EVENTS}",
            row.version
        );
        return Err(Problem::new(Code::QueryTooCostly, detail));
    }
    let Some(mut trace) = ctx.data_unchecked::<Tracer>()(table.model().name(), field, id) else {
        return Err(Problem::new(Code::Unavailable, "this process cannot fold the rows of that table"));
    };
    let (mut found, mut value, mut seen) = (None, None, 0);
    while seen < row.version {
        let events = event_journal::versions(reader(ctx), row.aggregate_id, seen, row.version).await?;
        for event in &events {
            seen += 1;
            let after = trace(event).map_err(|error| problem::internal(&error))?;
            if event.version != seen {
                return Err(behind());
            }
            if after != value {
                (found, value) = (Some(Source::of(event)), after);
            }
        }
        if events.is_empty() {
            return Err(behind());
        }
    }
    found.zip(value).ok_or_else(|| problem::internal(&format!("no event made {} {id}", table.model().name())))
}

fn behind() -> Problem {
    Problem::new(
        Code::NotReady,
        "the journal has not yet all events of the row; ask again, with `atLeast` to wait for them",
    )
}
