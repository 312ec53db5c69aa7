//! Why an aggregate refuses a command.

use schemas::problem::Code;
use serde::{Deserialize, Serialize};

use crate::names::{Name, name, names};

/// A refusal of the domain: nothing happened, and the caller is told why and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// The stream has no events.
    #[error("there is no {aggregate} with this id")]
    NotFound {
        /// Aggregate type.
        #[serde(deserialize_with = "name")]
        aggregate: Name,
    },
    /// The stream has events already.
    #[error("this {aggregate} exists already")]
    AlreadyExists {
        /// Aggregate type.
        #[serde(deserialize_with = "name")]
        aggregate: Name,
    },
    /// The life stage does not allow the command.
    #[error("{command} is not allowed while the {aggregate} is {stage}")]
    Transition {
        /// Aggregate type.
        #[serde(deserialize_with = "name")]
        aggregate: Name,
        /// Command type.
        #[serde(deserialize_with = "name")]
        command: Name,
        /// Current life stage.
        #[serde(deserialize_with = "name")]
        stage: Name,
        /// Commands that it allows.
        #[serde(deserialize_with = "names")]
        allowed: Vec<Name>,
    },
    /// A condition does not hold.
    #[error("{}{reason}", at(field))]
    Guard {
        /// JSON Pointer of the field in the command's body; empty for the command as a whole.
        #[serde(deserialize_with = "name")]
        field: Name,
        /// Condition, in words.
        reason: String,
    },
    /// The token was issued once and its lease is over; recorded as an event, once per token.
    #[error("the lease of fencing token {given} is over; the newest token is {current}")]
    StaleToken {
        /// Token given.
        given: u32,
        /// Newest token issued.
        current: u32,
    },
    /// The token was never issued, or the task is leased to another.
    #[error("fencing token {given} is not the current lease of this task")]
    ForeignToken {
        /// Token given.
        given: u32,
    },
    /// The stream is at another version than `expectedVersion` in the body.
    #[error("expected version {expected}, the stream is at {actual}")]
    VersionConflict {
        /// Version expected.
        expected: u64,
        /// Version found.
        actual: u64,
    },
    /// The stream is at another version than `If-Match` or `If-None-Match` asks.
    #[error("expected version {expected}, the stream is at {actual}")]
    PreconditionFailed {
        /// Version expected.
        expected: u64,
        /// Version found.
        actual: u64,
    },
    /// The command id came before with another body.
    #[error("this Idempotency-Key was used with another body")]
    KeyReused,
}

/// The beginning of a sentence about a field; nothing for the command as a whole.
fn at(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("{field}: ") }
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::NotFound,
            Self::AlreadyExists { .. } => Code::AlreadyExists,
            Self::Transition { .. } => Code::TransitionRefused,
            Self::Guard { .. } => Code::GuardRefused,
            Self::StaleToken { .. } => Code::StaleFencingToken,
            Self::ForeignToken { .. } => Code::LeaseHeldByOther,
            Self::VersionConflict { .. } => Code::VersionConflict,
            Self::PreconditionFailed { .. } => Code::PreconditionFailed,
            Self::KeyReused => Code::IdempotencyKeyReused,
        }
    }
}
