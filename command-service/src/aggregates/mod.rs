//! Aggregates: three pure functions over an enum of life stages.

pub mod agent;
pub mod dead_letter;
#[cfg(test)]
pub(crate) mod given;
mod instant;
#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
pub mod refusal;
pub mod registry;
pub mod repository;
pub mod source_file;
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
