//! What the clients did and heard.

use chrono::{DateTime, Utc};
use command_service::command::{Answer, Submission};

/// A command, with every try of it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) client: usize,
    pub(crate) submission: Submission,
    /// How often it was sent, repetitions by the network included.
    pub(crate) tries: u32,
    /// Tries whose answer the client still waits for.
    pub(crate) waiting: u32,
    /// The last answer that settles it: accepted, refused, or failed for good.
    pub(crate) settled: Option<Answer>,
}

/// One try, as it reached a node.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) operation: usize,
    /// Virtual milliseconds.
    pub(crate) sent: u64,
    /// Shard time when the node took it.
    pub(crate) taken_at: Option<DateTime<Utc>>,
    /// What the node said, when, and its shard time then.
    pub(crate) answered: Option<(u64, DateTime<Utc>, Answer)>,
    /// Whether the client heard or gave it up.
    pub(crate) over: bool,
}

/// Everything that happened, for the checks.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) operations: Vec<Operation>,
    pub(crate) attempts: Vec<Attempt>,
}

/// Whether sending the same again may tell more.
pub(crate) fn is_open(answer: &Answer) -> bool {
    match answer {
        Answer::Unknown => true,
        Answer::Failed { code, .. } => code.retryable(),
        Answer::Accepted(_) | Answer::Refused(_) => false,
    }
}
