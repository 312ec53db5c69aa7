//! Aggregates: three pure functions over an enum of life stages.

pub mod agent;
#[cfg(test)]
pub(crate) mod given;
mod instant;
#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
pub mod refusal;
pub mod registry;
pub mod task;

use chrono::{DateTime, Utc};
use schemas::ids::Stream;

pub use refusal::Refusal;

/// What a decision may know beside state and command.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The stream that decides.
    pub stream: &'a Stream,
    /// Who issued the command, `kind/id`.
    pub actor: &'a str,
    /// Shard time, milliseconds.
    pub at: DateTime<Utc>,
}

/// An aggregate. The state is absent before the first event, so there is no empty default.
pub trait Aggregate: Sized {
    /// Its commands.
    type Command;
    /// Its events.
    type Event;

    /// Aggregate type, the middle of its streams.
    const TYPE: &'static str;

    /// Decides what a command does. No event means that the command is granted and nothing changes.
    ///
    /// # Errors
    /// A [`Refusal`] when the state does not allow it.
    fn decide(
        state: Option<&Self>,
        command: &Self::Command,
        context: Context<'_>,
    ) -> Result<Vec<Self::Event>, Refusal>;

    /// Applies one event. An event that the state cannot have met leaves it as it is.
    fn evolve(state: Option<Self>, event: &Self::Event) -> Option<Self>;

    /// The next instant at which something is due, and the command to issue then. At that instant
    /// `decide` yields at least one event and the deadline moves on.
    fn deadline(&self) -> Option<(DateTime<Utc>, Self::Command)>;

    /// Name of the life stage, as the transition table has it.
    fn stage(&self) -> &'static str;
}

/// One row of a transition table; the documentation, `allowedCommands` and the property tests come from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Stage before; `-` is the absent state.
    pub from: &'static str,
    /// Command type, for example `task.start`.
    pub command: &'static str,
    /// Event types that this row yields, in order.
    pub events: &'static [&'static str],
    /// Stage after.
    pub to: &'static str,
    /// Condition under which this row is taken; empty = always.
    pub when: &'static str,
}

/// The transition table of an aggregate; empty for a type that is none.
#[must_use]
pub fn transitions(aggregate: &str) -> &'static [Transition] {
    match aggregate {
        task::Task::TYPE => task::TASK_TRANSITIONS,
        agent::Agent::TYPE => agent::AGENT_TRANSITIONS,
        _ => &[],
    }
}

/// The commands that a client may send to an aggregate in this stage, in the order of its life.
#[must_use]
pub fn allowed_commands(aggregate: &str, stage: &str) -> Vec<&'static str> {
    let mut allowed = Vec::new();
    for row in transitions(aggregate).iter().filter(|row| row.from == stage) {
        let internal = schemas::registry::command_type(row.command)
            .is_none_or(|command| command.address == schemas::contract::Address::Internal);
        if !internal && !allowed.contains(&row.command) {
            allowed.push(row.command);
        }
    }
    allowed
}
