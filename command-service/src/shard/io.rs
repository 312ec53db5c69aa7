//! What goes into a shard and what comes out of it.

use chrono::{DateTime, Utc};
use event_log::{Counted, Cursor, Ownership, Record};
use schemas::ids::Stream;
use serde::{Deserialize, Serialize};

use super::receipts::CommandKey;
use super::spill::Loaded;
use crate::command::{Answer, Submission};

/// Names a request inside one process, for as long as it waits for its answer.
pub type RequestId = u64;

/// What a command wants of the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Answer it from the table of command ids, or execute it.
    Execute,
    /// Only answer it from the table; an unknown id is refused as `NotFound`, held like any refusal.
    /// A claim over several queues begins so, lest its retry be granted in another queue.
    LookUp,
}

/// A command with the request that waits for it.
#[derive(Debug)]
pub struct Asked {
    /// The request.
    pub request: RequestId,
    /// Execute or look up.
    pub mode: Mode,
    /// [`CommandKey::of`] the command, made before it comes to the shard's one thread.
    pub key: CommandKey,
    /// The command.
    pub submission: Box<Submission>,
    /// Shard time after which nobody waits any more: what is not decided by then is dropped.
    pub expires: DateTime<Utc>,
}

/// A claim that counted, with everything before it read.
#[derive(Debug)]
pub struct Claim {
    /// Stamps and proves.
    pub ownership: Ownership,
    /// Right after the claim.
    pub cursor: Cursor,
    /// Time of the shard's last counted commit.
    pub last_at: Option<DateTime<Utc>>,
}

/// Why a batch has no offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendFailure {
    /// The log refused the batch for what it is: nothing of it was written, and sending it again is
    /// refused again. Otherwise it is open whether it was written.
    pub permanent: bool,
    /// What the log said.
    pub detail: String,
}

/// Everything that can happen to a shard.
#[derive(Debug)]
pub enum Input {
    /// A counted record of the log, in order: while following, and up to its own claim.
    Counted(Box<Counted>),
    /// This process shall own the shard.
    Lead,
    /// The claim counted; all of the log before it went in as [`Input::Counted`].
    Claimed(Box<Claim>),
    /// The claim did not count, or nobody knows whether it did.
    NotClaimed,
    /// What the store has of what [`Shard::needs`](super::Shard::needs) asked for.
    Loaded(Box<Loaded>),
    /// A command.
    Command(Asked),
    /// Nothing more waits at the door: what was decided may go out, and what is due is issued.
    Flush,
    /// The report of the batch in flight.
    Appended(Result<Vec<u64>, AppendFailure>),
    /// This process shall not own the shard any more: what is under way ends first.
    Revoke,
    /// Another process may own the shard already: nothing under way is waited for.
    Lost,
    /// A counted record of another owner stands behind everything that was proven here.
    Fenced,
    /// The log is damaged; the text names the place.
    Damaged(String),
}

/// Everything that a shard asks of the task around it.
#[derive(Debug)]
pub enum Output {
    /// Append this batch and report. The next one comes after the report.
    Append(Vec<Record>),
    /// Answer a request.
    Answer(RequestId, Answer),
    /// Claim the shard; `failures` claims or ownerships in a row failed before.
    Claim {
        /// Failures in a row, for the back-off.
        failures: u32,
    },
    /// Come back with [`Input::Flush`] at this instant of shard time, if nothing else happens before.
    WakeAt(DateTime<Utc>),
    /// So many tasks of this queue became claimable.
    Ready {
        /// `tenant/queue/<name>`.
        queue: Stream,
        /// How many.
        tasks: usize,
    },
}
