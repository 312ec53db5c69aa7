//! Every aggregate behind one set of functions, so that the shard knows streams and events, and of
//! aggregates only how a claim picks.

use chrono::{DateTime, Utc};
use schemas::agent::AgentEvent;
use schemas::commit::EventRecord;
use schemas::dead_letter::DeadLetterEvent;
use schemas::ids::Stream;
use schemas::repository::RepositoryEvent;
use schemas::source_file::SourceFileEvent;
use schemas::task::TaskEvent;
use schemas::upcast::{DecodeError, READS, Step};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::agent::Agent;
use super::dead_letter::DeadLetter;
use super::repository::Repository;
use super::source_file::SourceFile;
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
    /// Of a dead letter.
    DeadLetter(DeadLetter),
    /// Of a repository.
    Repository(Repository),
    /// Of a source file.
    SourceFile(SourceFile),
}

/// An event of any aggregate, not yet at a place in a stream; serialised it is the event's fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnyEvent {
    /// Of a task.
    Task(TaskEvent),
    /// Of an agent.
    Agent(AgentEvent),
    /// Of a dead letter.
    DeadLetter(DeadLetterEvent),
    /// Of a repository.
    Repository(RepositoryEvent),
    /// Of a source file.
    SourceFile(SourceFileEvent),
}

impl AnyEvent {
    /// The registered type and the revision that is written.
    #[must_use]
    pub fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Task(event) => event.kind(),
            Self::Agent(event) => event.kind(),
            Self::DeadLetter(event) => event.kind(),
            Self::Repository(event) => event.kind(),
            Self::SourceFile(event) => event.kind(),
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

    /// Reads the event of a record; `reads` are the steps to the revisions of the code.
    ///
    /// # Errors
    /// [`DecodeError`] names the type and the field that this release cannot read.
    pub fn decode(reads: &[Step], record: &EventRecord) -> Result<Self, DecodeError> {
        let (kind, v, data) = (record.kind.as_str(), record.v, &*record.data);
        match record.stream.aggregate_type() {
            Task::TYPE => TaskEvent::decode(reads, kind, v, data).map(Self::Task),
            Agent::TYPE => AgentEvent::decode(reads, kind, v, data).map(Self::Agent),
            DeadLetter::TYPE => DeadLetterEvent::decode(reads, kind, v, data).map(Self::DeadLetter),
            Repository::TYPE => RepositoryEvent::decode(reads, kind, v, data).map(Self::Repository),
            SourceFile::TYPE => SourceFileEvent::decode(reads, kind, v, data).map(Self::SourceFile),
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
            _ => None,
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
        AnyCommand::DeadLetter(command) => {
            let events = DeadLetter::decide(letter(state)?, command, context)?;
            Ok(events.into_iter().map(AnyEvent::DeadLetter).collect())
        }
        AnyCommand::Repository(command) => {
            let events = Repository::decide(repository(state)?, command, context)?;
            Ok(events.into_iter().map(AnyEvent::Repository).collect())
        }
        AnyCommand::SourceFile(command) => {
            let events = SourceFile::decide(source_file(state)?, command, context)?;
            Ok(events.into_iter().map(AnyEvent::SourceFile).collect())
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

fn letter(state: Option<&State>) -> Result<Option<&DeadLetter>, Refusal> {
    match state {
        None => Ok(None),
        Some(State::DeadLetter(letter)) => Ok(Some(letter)),
        Some(_) => Err(Refusal::NotFound { aggregate: DeadLetter::TYPE }),
    }
}

fn repository(state: Option<&State>) -> Result<Option<&Repository>, Refusal> {
    match state {
        None => Ok(None),
        Some(State::Repository(repository)) => Ok(Some(repository)),
        Some(_) => Err(Refusal::NotFound { aggregate: Repository::TYPE }),
    }
}

fn source_file(state: Option<&State>) -> Result<Option<&SourceFile>, Refusal> {
    match state {
        None => Ok(None),
        Some(State::SourceFile(file)) => Ok(Some(file)),
        Some(_) => Err(Refusal::NotFound { aggregate: SourceFile::TYPE }),
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
        (None, AnyEvent::Repository(event)) => Repository::evolve(None, event).map(State::Repository),
        (None, AnyEvent::SourceFile(event)) => SourceFile::evolve(None, event).map(State::SourceFile),
        (Some(State::Task(task)), AnyEvent::Task(event)) => Task::evolve(Some(task), event).map(State::Task),
        (Some(State::Agent(agent)), AnyEvent::Agent(event)) => {
            Agent::evolve(Some(agent), event).map(State::Agent)
        }
        (None | Some(State::DeadLetter(_)), AnyEvent::DeadLetter(event)) => {
            DeadLetter::evolve(None, event).map(State::DeadLetter)
        }
        (Some(State::Repository(repository)), AnyEvent::Repository(event)) => {
            Repository::evolve(Some(repository), event).map(State::Repository)
        }
        (Some(State::SourceFile(file)), AnyEvent::SourceFile(event)) => {
            SourceFile::evolve(Some(file), event).map(State::SourceFile)
        }
        (other, _) => other,
    }
}

/// Decodes and applies one event of the log.
///
/// # Errors
/// [`DecodeError`] names the type and the field that this release cannot read.
pub fn evolve_record(state: Option<State>, record: &EventRecord) -> Result<Option<State>, DecodeError> {
    Ok(evolve(state, &AnyEvent::decode(READS, record)?))
}

impl State {
    /// Aggregate type.
    #[must_use]
    pub fn aggregate(&self) -> &'static str {
        match self {
            Self::Task(_) => Task::TYPE,
            Self::Agent(_) => Agent::TYPE,
            Self::DeadLetter(_) => DeadLetter::TYPE,
            Self::Repository(_) => Repository::TYPE,
            Self::SourceFile(_) => SourceFile::TYPE,
        }
    }

    /// Life stage, as the transition table has it.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Task(task) => task.stage(),
            Self::Agent(agent) => agent.stage(),
            Self::DeadLetter(letter) => letter.stage(),
            Self::Repository(repository) => repository.stage(),
            Self::SourceFile(file) => file.stage(),
        }
    }

    /// The next instant at which something is due, and the command to issue then.
    #[must_use]
    pub fn deadline(&self) -> Option<(DateTime<Utc>, AnyCommand)> {
        match self {
            Self::Task(task) => task.deadline().map(|(at, command)| (at, AnyCommand::Task(command))),
            Self::Agent(agent) => agent.deadline().map(|(at, command)| (at, AnyCommand::Agent(command))),
            Self::DeadLetter(letter) => {
                letter.deadline().map(|(at, command)| (at, AnyCommand::DeadLetter(command)))
            }
            Self::Repository(_) | Self::SourceFile(_) => None,
        }
    }

    /// The instant to which a lease or liveness runs, for the answer of a renewal or a heartbeat.
    #[must_use]
    pub fn runs_until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Task(task) => task.lease_until(),
            Self::Agent(agent) => agent.alive_until(),
            Self::DeadLetter(_) | Self::Repository(_) | Self::SourceFile(_) => None,
        }
    }

    /// The end of the grace in which what somebody wants cancelled may stop by itself.
    #[must_use]
    pub fn grace_until(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Task(task) => task.grace_until(),
            Self::Agent(_) | Self::DeadLetter(_) | Self::Repository(_) | Self::SourceFile(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::{self, second};
    use crate::aggregates::{agent, task};
    use schemas::agent::DrainAgent;
    use schemas::task::{ReleaseTask, RenewLease};

    fn context(stream: &Stream) -> Context<'_> {
        Context { stream, actor: given::ACTOR, at: second(3) }
    }

    /// The shard's view of a stale token: refused, recorded once, and the record is the refusal again.
    #[test]
    fn a_stale_token_is_refused_and_recorded_once() {
        let stream = given::stream(Task::TYPE);
        let released = task::samples::assigned().when(1, ReleaseTask { fencing_token: 1, reason: None });
        let state = released.state.map(State::Task);
        let command = AnyCommand::Task(RenewLease { fencing_token: 1 }.into());
        let refusal = decide(state.as_ref(), &command, context(&stream)).unwrap_err();
        let event = recorded(state.as_ref(), &command, &refusal).unwrap();
        assert_eq!(event.refusal().as_ref(), Some(&refusal));
        let read = AnyEvent::decode(READS, &event.record(stream.clone(), 4)).unwrap();
        assert_eq!(read, event);
        let state = evolve(state, &event);
        assert_eq!(recorded(state.as_ref(), &command, &refusal), None);
        assert_eq!(decide(state.as_ref(), &command, context(&stream)).unwrap_err(), refusal);
    }

    #[test]
    fn a_command_of_another_aggregate_finds_nothing() {
        let stream = given::stream(Task::TYPE);
        let command = AnyCommand::Agent(DrainAgent { reason: None }.into());
        let state = task::samples::queued().state.map(State::Task);
        let refusal = decide(state.as_ref(), &command, context(&stream)).unwrap_err();
        assert_eq!(refusal, Refusal::NotFound { aggregate: "agent" });
        assert_eq!(recorded(state.as_ref(), &command, &refusal), None);
        let other = AnyEvent::Agent(schemas::agent::AgentArchived {}.into());
        assert_eq!(evolve(state.clone(), &other), state);
    }

    #[test]
    fn an_event_that_this_release_does_not_know_is_named() {
        let event = AnyEvent::Agent(schemas::agent::AgentArchived {}.into());
        for (aggregate, kind) in [("agent", "gesta.fleet.agent.flew.v1"), ("bird", "gesta.sky.bird.flew.v1")]
        {
            let mut record = event.record(given::stream(aggregate), 1);
            record.kind = kind.to_owned();
            let error = evolve_record(None, &record).unwrap_err().to_string();
            assert!(error.contains(kind), "{error}");
        }
    }

    #[test]
    fn what_is_due_and_until_when_something_runs_is_told() {
        let agent = State::Agent(agent::samples::executing().state.unwrap());
        assert_eq!(
            (agent.aggregate(), agent.stage(), agent.runs_until()),
            ("agent", "executing", Some(second(10)))
        );
        let (at, command) = agent.deadline().unwrap();
        assert_eq!((at, command.name()), (second(10), "agent.expire_heartbeat"));
        let task = State::Task(task::samples::running().state.unwrap());
        assert_eq!(
            (task.aggregate(), task.stage(), task.runs_until()),
            ("task", "running", Some(second(10)))
        );
        assert_eq!(task.deadline().unwrap().1.name(), "task.expire_lease");
    }
}
