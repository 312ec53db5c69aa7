//! `state_transitions`: every change of an aggregate's state. An event is folded into the newest
//! transition, which holds the state before it; a change begins a new row.

use migrations::table::Table;
use migrations::{STATE_TRANSITIONS, StateTransitionsRow};

use crate::event::Event;
use crate::projection::{AggregateKey, KeyArray, Projection, aggregate_arrays, aggregate_key};
use crate::stage;

/// The read model.
#[derive(Debug)]
pub struct StateTransitions;

impl Projection for StateTransitions {
    type Key = AggregateKey;
    type Row = StateTransitionsRow;

    const NAME: &'static str = "state_transitions";
    const READS: &'static [&'static str] = &[];
    const TABLE: &'static Table<StateTransitionsRow> = STATE_TRANSITIONS;

    fn key(event: &Event) -> Option<AggregateKey> {
        // What changes no state from any other is not worth a look at the table.
        stage::after(None, event.body()).map(|_| aggregate_key(event))
    }

    fn key_of(row: &StateTransitionsRow) -> AggregateKey {
        (row.tenant.clone(), row.aggregate_id)
    }

    fn arrays(keys: &[AggregateKey]) -> Vec<KeyArray> {
        aggregate_arrays(keys)
    }

    fn is_first(event: &Event) -> bool {
        event.version() == 1
    }

    fn fold(row: Option<StateTransitionsRow>, event: &Event) -> Option<StateTransitionsRow> {
        let from = row.as_ref().map(|row| row.to_state.as_str());
        let Some(to) = stage::after(from, event.body()) else { return row };
        let command = &event.commit().command;
        Some(StateTransitionsRow {
            tenant: event.tenant().clone(),
            aggregate_type: event.record().stream.aggregate_type().to_owned(),
            aggregate_id: event.aggregate_id(),
            version: event.version(),
            from_state: from.map(str::to_owned),
            to_state: to.to_owned(),
            event_type: event.record().kind.clone(),
            command_type: command.kind.clone(),
            command_id: command.id.clone(),
            at: event.at(),
            actor: event.actor(),
            correlation_id: event.commit().correlation.clone(),
            event_id: event.id(),
            position: event.position().to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
