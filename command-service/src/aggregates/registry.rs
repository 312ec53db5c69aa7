//! Every aggregate behind one set of functions, so that the shard knows streams and events, and of
//! aggregates only how a claim picks.

use chrono::{DateTime, Utc};
use schemas::agent::AgentEvent;
use schemas::commit::EventRecord;
use schemas::ids::Stream;
use schemas::task::TaskEvent;
use schemas::upcast::DecodeError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::agent::Agent;
use super::task::Task;
use super::{Aggregate, Context, Refusal};
use crate::command::AnyCommand;

/// The state of any aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// Of a task.
    Task(Task),
    /// Of an agent.
    Agent(Agent),
}

/// An event of any aggregate, not yet at a place in a stream; serialised it is the event's fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "a value lives for one decision")]
pub enum AnyEvent {
    /// Of a task.
    Task(TaskEvent),
    /// Of an agent.
    Agent(AgentEvent),
}

impl AnyEvent {
    /// The registered type and the revision that is written.
    #[must_use]
    pub fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Task(event) => event.kind(),
            Self::Agent(event) => event.kind(),
        }
    }

    /// The event's fields as one JSON object.
    #[must_use]
    pub fn data(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self).expect("events have text keys only, so JSON can write them")
    }

    /// The event at its place.
    #[must_use]
    pub fn record(&self, stream: Stream, version: u64) -> EventRecord {
        let (kind, v) = self.kind();
        EventRecord { stream, version, kind: kind.to_owned(), v, data: self.data() }
    }

    /// Reads the event of a record.
    ///
    /// # Errors
    /// [`DecodeError`] names the type and the field that this release cannot read.
    pub fn decode(record: &EventRecord) -> Result<Self, DecodeError> {
        match record.stream.aggregate_type() {
            Task::TYPE => TaskEvent::decode(&record.kind, record.v, &record.data).map(Self::Task),
            Agent::TYPE => AgentEvent::decode(&record.kind, record.v, &record.data).map(Self::Agent),
            _ => Err(DecodeError::UnknownType { kind: record.kind.clone() }),
        }
    }

    /// The refusal that this event records; the answer of its command is that refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Task(TaskEvent::StaleTokenRefused(refused)) => {
                Some(Refusal::StaleToken { given: refused.given, current: refused.current })
            }
            Self::Task(_) | Self::Agent(_) => None,
        }
    }
}

/// Decides what a command does to the state of its stream.
///
/// # Errors
/// A [`Refusal`]; see [`recorded`] for the one that leaves an event.
pub fn decide(
    state: Option<&State>,
    command: &AnyCommand,
    context: Context<'_>,
) -> Result<Vec<AnyEvent>, Refusal> {
    match command {
        AnyCommand::Task(command) => {
            Ok(Task::decide(task(state)?, command, context)?.into_iter().map(AnyEvent::Task).collect())
        }
        AnyCommand::Agent(command) => {
            Ok(Agent::decide(agent(state)?, command, context)?.into_iter().map(AnyEvent::Agent).collect())
        }
    }
}

fn task(state: Option<&State>) -> Result<Option<&Task>, Refusal> {
    match state {
        None => Ok(None),
        Some(State::Task(task)) => Ok(Some(task)),
        Some(_) => Err(Refusal::NotFound { aggregate: Task::TYPE }),
    }
}

fn agent(state: Option<&State>) -> Result<Option<&Agent>, Refusal> {
    match state {
        None => Ok(None),
        Some(State::Agent(agent)) => Ok(Some(agent)),
        Some(_) => Err(Refusal::NotFound { aggregate: Agent::TYPE }),
    }
}

/// The event that records a refusal, when it is one that is recorded and stands not in the log already.
#[must_use]
pub fn recorded(state: Option<&State>, command: &AnyCommand, refusal: &Refusal) -> Option<AnyEvent> {
    match (state, refusal) {
        (Some(State::Task(task)), Refusal::StaleToken { given, .. }) => {
            task.stale_token_event(*given, command.name()).map(AnyEvent::Task)
        }
        _ => None,
    }
}

/// Applies one event. An event of another aggregate than the state's leaves it as it is.
#[must_use]
pub fn evolve(state: Option<State>, event: &AnyEvent) -> Option<State> {
    match (state, event) {
        (None, AnyEvent::Task(event)) => Task::evolve(None, event).map(State::Task),
        (None, AnyEvent::Agent(event)) => Agent::evolve(None, event).map(State::Agent),
        (Some(State::Task(task)), AnyEvent::Task(event)) => Task::evolve(Some(task), event).map(State::Task),
        (Some(State::Agent(agent)), AnyEvent::Agent(event)) => {
            Agent::evolve(Some(agent), event).map(State::Agent)
        }
        (other, _) => other,
    }
}

/// Decodes and applies one event of the log.
///
/// # Errors
/// [`DecodeError`] names the type and the field that this release cannot read.
pub fn evolve_record(state: Option<State>, record: &EventRecord) -> Result<Option<State>, DecodeError> {
    Ok(evolve(state, &AnyEvent::decode(record)?))
}

impl State {
    /// Aggregate type.
    #[must_use]
    pub fn aggregate(&self) -> &'static str {
        match self {
            Self::Task(_) => Task::TYPE,
            Self::Agent(_) => Agent::TYPE,
        }
    }

    /// Life stage, as the transition table has it.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Task(task) => task.stage(),
            Self::Agent(agent) => agent.stage(),
        }
    }

    /// The next instant at which something is due, and the command to issue then.
    #[must_use]
    pub fn deadline(&self) -> Option<(DateTime<Utc>, AnyCommand)> {
        match self {
            Self::Task(task) => task.deadline().map(|(at, command)| (at, AnyCommand::Task(command))),
            Self::Agent(agent) => agent.deadline().map(|(at, command)| (at, AnyCommand::Agent(command))),
        }
    }

    /// The instant to which a lease or liveness runs, for the answer of a renewal or a heartbeat.
    #[must_use]
    pub fn runs_until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Task(task) => task.lease_until(),
            Self::Agent(agent) => agent.alive_until(),
        }
    }
}
