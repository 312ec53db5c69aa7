//! What the edge hands to a shard, and what comes back.

use chrono::{DateTime, Utc};
use schemas::agent::AgentCommand;
use schemas::dead_letter::DeadLetterCommand;
use schemas::ids::Stream;
use schemas::position::Token;
use schemas::problem::Code;
use schemas::repository::RepositoryCommand;
use schemas::source_file::SourceFileCommand;
use schemas::task::TaskCommand;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aggregates::Refusal;
use crate::principal::Principal;

/// A command of any aggregate, its body read and resolved from configuration; serialised it is that body.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnyCommand {
    /// Of a task; a claim among them.
    Task(TaskCommand),
    /// Of an agent.
    Agent(AgentCommand),
    /// Of a dead letter.
    DeadLetter(DeadLetterCommand),
    /// Of a repository.
    Repository(RepositoryCommand),
    /// Of a source file.
    SourceFile(SourceFileCommand),
}

impl AnyCommand {
    /// The registered name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Task(command) => command.name(),
            Self::Agent(command) => command.name(),
            Self::DeadLetter(command) => command.name(),
            Self::Repository(command) => command.name(),
            Self::SourceFile(command) => command.name(),
        }
    }

    /// Reads the body of the command type `name`; `None` when no aggregate has it.
    #[must_use]
    pub fn decode(name: &str, body: &str) -> Option<Result<Self, serde_json::Error>> {
        let task = || Some(TaskCommand::decode(name, body)?.map(Self::Task));
        let agent = || Some(AgentCommand::decode(name, body)?.map(Self::Agent));
        let letter = || Some(DeadLetterCommand::decode(name, body)?.map(Self::DeadLetter));
        let repository = || Some(RepositoryCommand::decode(name, body)?.map(Self::Repository));
        let source_file = || Some(SourceFileCommand::decode(name, body)?.map(Self::SourceFile));
        task().or_else(agent).or_else(letter).or_else(repository).or_else(source_file)
    }
}

/// The version that the client expects its stream to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// `If-Match: "n"`; a mismatch is 412.
    IfMatch(u64),
    /// `If-None-Match: *`: the stream must be empty; a mismatch is 412.
    Absent,
    /// `expectedVersion` in the body; a mismatch is 409.
    Body(u64),
}

/// One command on its way to a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The command.
    pub command: AnyCommand,
    /// `Idempotency-Key`, or one that the edge made; scope (tenant, home stream).
    pub command_id: String,
    /// 128 bits of SHA-256 over the canonical body, lower-case hexadecimal.
    pub body_hash: String,
    /// The stream that the command is addressed to. For a claim: `tenant/queue/<first queue>`.
    pub home: Stream,
    /// Who sent it.
    pub principal: Principal,
    /// Correlation id, carried along.
    pub correlation: String,
    /// Causation id: an event, or the external command itself.
    pub causation: String,
    /// W3C `traceparent`.
    pub trace: Option<String>,
    /// Expected version, if the client gave one.
    pub expected: Option<Expected>,
    /// Decide on proven state, append nothing.
    pub dry_run: bool,
}

/// One event as an answer names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSummary {
    /// Event id.
    pub id: Uuid,
    /// Stream.
    pub stream: Stream,
    /// Event type.
    pub kind: String,
    /// Version in its stream.
    pub version: u64,
}

/// One leased task in the answer of a claim or an assignment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Stream of the task.
    pub task: Stream,
    /// Version of the task after the lease.
    pub version: u64,
    /// Id of the lease.
    pub lease_id: Uuid,
    /// Token that every command of the holder carries.
    pub fencing_token: u32,
    /// 1-based attempt.
    pub attempt: u32,
    /// The lease runs to this instant.
    pub lease_expires_at: DateTime<Utc>,
    /// Queue.
    pub queue: String,
    /// Kind of work.
    pub kind: String,
    /// Title for people.
    pub title: String,
    /// Input for the worker.
    pub payload: serde_json::Map<String, serde_json::Value>,
    /// Length of the lease in milliseconds; renew before half of it is over.
    pub lease_ms: u32,
}

/// A command that took effect, now or when its id was first seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// Home stream.
    pub stream: Stream,
    /// Version of the home stream after the command.
    pub version: u64,
    /// What was written; empty for a renewal that still has time and for an empty claim.
    pub events: Vec<EventSummary>,
    /// Token of the commit.
    pub position: Token,
    /// Whether this is the stored answer of an earlier try.
    pub replayed: bool,
    /// What a claim or an assignment leased.
    pub leases: Vec<Lease>,
    /// For a renewal or heartbeat: the instant to which the lease or liveness runs.
    pub runs_until: Option<DateTime<Utc>>,
    /// For a renewal of a task that shall be cancelled: the end of its grace.
    pub grace_until: Option<DateTime<Utc>>,
}

/// The answer to a submission: ok, failed or unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It took effect, durably.
    Accepted(Box<Accepted>),
    /// Nothing happened, and a later proven record shows that the refusal was true.
    Refused(Refusal),
    /// Nothing happened, for a reason outside the domain (queue full, shard stopped, too large).
    Failed {
        /// Which.
        code: Code,
        /// What, in words.
        detail: String,
    },
    /// The deadline came before the proof; the same id asked again tells.
    Unknown,
}
