//! An event of the log as projections read it: decoded once, whatever number of projections fold it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemas::agent::AgentEvent;
use schemas::commit::{Commit, EventRecord};
use schemas::dead_letter::DeadLetterEvent;
use schemas::ids::{AggregateId, NotAnId, Tenant};
use schemas::position::Position;
use schemas::repository::RepositoryEvent;
use schemas::source_file::SourceFileEvent;
use schemas::task::TaskEvent;
use schemas::upcast::{DecodeError, READS};
use uuid::Uuid;

/// What happened, by aggregate type.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// To a task.
    Task(TaskEvent),
    /// To an agent.
    Agent(AgentEvent),
    /// To a dead letter.
    DeadLetter(DeadLetterEvent),
    /// To a repository.
    Repository(RepositoryEvent),
    /// To a source file.
    SourceFile(SourceFileEvent),
}

/// One event with its commit.
#[derive(Debug, Clone)]
pub struct Event {
    commit: Arc<Commit>,
    index: usize,
    position: Position,
    id: Uuid,
    aggregate_id: Uuid,
    body: Body,
    follows: i64,
}

/// Why an event cannot be read. None of it goes away by itself.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Its stream is of an aggregate type that this release does not know.
    #[error("aggregate type {0} is unknown to this release; upgrade the projectors")]
    UnknownAggregate(String),
    /// Its type, revision or payload.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Its row in the journal.
    #[error("the journal does not hold an event there: {0}")]
    Journal(String),
    /// Its dead letter.
    #[error("the dead letter does not hold a commit: {0}")]
    Letter(serde_json::Error),
    /// Its stream.
    #[error(transparent)]
    Stream(#[from] NotAnId),
}

impl Event {
    /// Decodes the event at `index` of a commit that stands at `position`.
    ///
    /// # Errors
    /// [`EventError`].
    ///
    /// # Panics
    /// When the commit has no such event.
    pub fn decode(commit: &Arc<Commit>, index: usize, position: Position) -> Result<Self, EventError> {
        let record = &commit.events[index];
        let aggregate_id: AggregateId = record.stream.id().parse()?;
        let body = match record.stream.aggregate_type() {
            "task" => Body::Task(TaskEvent::decode(READS, &record.kind, record.v, &record.data)?),
            "agent" => Body::Agent(AgentEvent::decode(READS, &record.kind, record.v, &record.data)?),
            "dead_letter" => {
                Body::DeadLetter(DeadLetterEvent::decode(READS, &record.kind, record.v, &record.data)?)
            }
            "repository" => {
                Body::Repository(RepositoryEvent::decode(READS, &record.kind, record.v, &record.data)?)
            }
            "source_file" => {
                Body::SourceFile(SourceFileEvent::decode(READS, &record.kind, record.v, &record.data)?)
            }
            other => return Err(EventError::UnknownAggregate(other.to_owned())),
        };
        let id = record.id();
        let (commit, aggregate_id) = (Arc::clone(commit), aggregate_id.uuid());
        let follows = i64::try_from(record.version).unwrap_or(i64::MAX).saturating_sub(1);
        Ok(Self { commit, index, position, id, aggregate_id, body, follows })
    }

    /// The event as it follows an earlier one: those between were given up.
    pub(crate) fn following(self, version: i64) -> Self {
        Self { follows: version, ..self }
    }

    /// Version of the event before it in its stream that was not given up; 0 when there is none, or when
    /// the first one was.
    #[must_use]
    pub fn follows(&self) -> i64 {
        self.follows
    }

    /// What happened.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The commit: command, actor, correlation, causation, time.
    #[must_use]
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// The same, for whoever keeps it.
    pub(crate) fn shared(&self) -> Arc<Commit> {
        Arc::clone(&self.commit)
    }

    /// The event as it stands in the commit.
    #[must_use]
    pub fn record(&self) -> &EventRecord {
        &self.commit.events[self.index]
    }

    /// The event's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Its place in the log.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Tenant.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.commit.tenant
    }

    /// Id of the aggregate that it happened to.
    #[must_use]
    pub fn aggregate_id(&self) -> Uuid {
        self.aggregate_id
    }

    /// Version in its stream.
    #[must_use]
    pub fn version(&self) -> i64 {
        // A stream of 2^63 events does not exist; Postgres has no wider integer.
        i64::try_from(self.record().version).unwrap_or(i64::MAX)
    }

    /// Shard time of the decision.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.commit.at
    }

    /// Who issued the command, `kind/id`.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("{}/{}", self.commit.actor.kind, self.commit.actor.id)
    }
}
