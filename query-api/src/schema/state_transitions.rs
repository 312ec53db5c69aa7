//! Changes of state: the read model `state_transitions`.

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};
use migrations::StateTransitionsRow;

/// The change of state that an event made.
#[derive(Clone)]
pub(crate) struct Transition(pub(super) StateTransitionsRow);

/// The change of state that an event made.
#[Object]
impl Transition {
    /// State before; none at the creation.
    async fn from(&self) -> Option<&str> {
        self.0.from_state.as_deref()
    }
    /// State after.
    async fn to(&self) -> &str {
        &self.0.to_state
    }
    /// Type of the command.
    async fn command_type(&self) -> &str {
        &self.0.command_type
    }
    /// Id of the event.
    async fn event_id(&self) -> ID {
        self.0.event_id.into()
    }
    /// When it happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }
    /// Who did it, `kind/id`.
    async fn actor(&self) -> &str {
        &self.0.actor
    }
}
