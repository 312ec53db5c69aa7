//! A shard: the plain state machine that owns the streams of its route.
//!
//! [`Shard::step`] takes shard time and one input and says what to do. It knows no clock, channel,
//! thread or chance, so the simulation runs this very code. The task around it (`service`) feeds it
//! the log's records, commands and reports, and does what the outputs ask.
//!
//! | file | concept |
//! |---|---|
//! | `execute` | a command: seen before? expected version? decide → record, refusal, or nothing |
//! | `claim` | a claim: pick the most urgent tasks, lease them in one commit |
//! | `batch` | one batch in flight, what arrives meanwhile forms the next; barriers |
//! | `proof` | reports → proven → answers; refusals held until a later record is proven |
//! | `recovery` | a broken proof: forget what is not proven, claim, ask again; poison goes alone |
//! | `timers` | deadlines issue their commands |
//! | `spill`, `generations` | what of the state is in the store instead of in memory |
//! | `streams`, `receipts`, `dispatch`, `deadlines` | state, all of it a cache of the log |

mod answers;
mod batch;
mod claim;
mod counts;
pub mod deadlines;
pub mod dispatch;
mod encode;
mod execute;
mod generations;
mod io;
pub mod limits;
mod pending;
mod proof;
pub mod receipts;
mod recovery;
mod replay;
mod spill;
pub mod streams;
mod timers;

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_log::{Cursor, Ownership};

pub use counts::Counts;
pub use io::{AppendFailure, Asked, Claim, Input, Mode, Output, RequestId};
use pending::{Held, Pending, Pipeline};
use receipts::Receipts;
use schemas::upcast::Revisions;
use spill::Absent;
pub use spill::{Checkpoint, Loaded, Marks, Needs};
use streams::Streams;

/// What never changes in the life of a shard.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of the shard.
    pub shard: u16,
    /// Generation of the log.
    pub generation: u32,
    /// Whether nobody else can claim while this process lives (a lock on the log). A refusal then
    /// waits only for the records it was decided on.
    pub exclusive: bool,
    /// How much of what the store has stays in memory.
    pub memory: Memory,
    /// Which revisions of events it reads and writes.
    pub revisions: Arc<Revisions>,
}

/// How much of what the store has stays in memory, beside dispatch and deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Streams after which a generation of them is old; two are kept.
    pub streams: usize,
    /// Command ids after which a generation of them is old; two are kept.
    pub commands: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self { streams: limits::GENERATION_STREAMS, commands: limits::GENERATION_COMMANDS }
    }
}

/// Where a shard is in its life (log.md §4).
#[derive(Debug)]
enum Phase {
    /// Reads what others write.
    Following,
    /// A claim is under way; also after a broken proof.
    Claiming,
    /// Decides.
    Owner(Ownership),
    /// The log is damaged.
    Stopped(String),
}

/// The phase, for people and readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Reads the log; decides nothing.
    Following,
    /// Waits for its claim to count; commands wait.
    Claiming,
    /// Decides.
    Owner,
    /// Ends what is under way; takes no command.
    Draining,
    /// Stopped by damage, which the text names.
    Stopped(String),
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    settings: Settings,
    /// Shard time of the last step; never goes back.
    now: DateTime<Utc>,
    phase: Phase,
    /// After the last proven record.
    cursor: Cursor,
    streams: Streams,
    receipts: Receipts,
    pipeline: Pipeline,
    /// In the order of `until`.
    held: VecDeque<Held>,
    /// Not decided: the shard has no owner, or commands go one per batch.
    waiting: VecDeque<Pending>,
    draining: bool,
    /// Whether a store holds what is not in memory.
    spills: bool,
    absent: Absent,
    commands: usize,
    bytes: usize,
    arrivals: u64,
    /// Ownerships and claims in a row that failed.
    failures: u32,
    /// Broken proofs in a row.
    broken: u32,
    /// So many waiting commands go one per batch.
    alone: usize,
    last_barrier: Option<DateTime<Utc>>,
    counts: Counts,
    out: Vec<Output>,
}

impl Shard {
    /// A shard that has read nothing: `cursor` stands before the first record.
    #[must_use]
    pub fn new(settings: Settings, cursor: Cursor) -> Self {
        Self {
            settings,
            now: DateTime::UNIX_EPOCH,
            phase: Phase::Following,
            cursor,
            streams: Streams::default(),
            receipts: Receipts::default(),
            pipeline: Pipeline::default(),
            held: VecDeque::new(),
            waiting: VecDeque::new(),
            draining: false,
            spills: false,
            absent: Absent::default(),
            commands: 0,
            bytes: 0,
            arrivals: 0,
            failures: 0,
            broken: 0,
            alone: 0,
            last_barrier: None,
            counts: Counts::default(),
            out: Vec::new(),
        }
    }

    /// Takes one input at shard time `at` and says what to do, in order. After every round of inputs
    /// comes an [`Input::Flush`]: only that sends a batch.
    pub fn step(&mut self, at: DateTime<Utc>, input: Input) -> Vec<Output> {
        self.advance(at);
        match input {
            // What is absent stays known until the step that asked for it.
            Input::Loaded(loaded) => {
                self.loaded(*loaded);
                return Vec::new();
            }
            Input::Counted(record) => self.replay(&record),
            Input::Lead => self.lead(),
            Input::Claimed(claim) => self.claimed(*claim),
            Input::NotClaimed => self.not_claimed(),
            Input::Command(asked) => self.arrive(asked),
            Input::Flush => self.flush(),
            Input::Appended(report) => self.reported(report),
            Input::Revoke => self.revoke(),
            Input::Lost => self.lose(),
            Input::Fenced => self.fenced(),
            Input::Damaged(place) => self.stop(place),
        }
        self.absent = Absent::default();
        std::mem::take(&mut self.out)
    }

    /// Shard time never goes back, and has the milliseconds that the log can hold.
    fn advance(&mut self, at: DateTime<Utc>) {
        let whole = DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at);
        self.now = self.now.max(whole);
    }

    /// Sends what was decided, issues what is due, and says when to come back.
    fn flush(&mut self) {
        if matches!(self.phase, Phase::Owner(_)) {
            self.take_up();
            self.issue_due();
            self.send();
            if self.draining && self.is_idle() {
                self.follow();
            }
        } else {
            self.expire_waiting();
        }
        self.wake();
    }

    /// The phase.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.phase {
            Phase::Stopped(place) => Status::Stopped(place.clone()),
            _ if self.draining => Status::Draining,
            Phase::Following => Status::Following,
            Phase::Claiming => Status::Claiming,
            Phase::Owner(_) => Status::Owner,
        }
    }

    /// Whether nothing waits for a report or an answer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pipeline.is_empty() && self.held.is_empty() && self.waiting.is_empty()
    }

    /// Commands that wait for their answer, and the bytes they count.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        (self.commands, self.bytes)
    }

    /// After the last proven record.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Shard time of the last step.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The states.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// The table of command ids.
    #[must_use]
    pub fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// What, if anything, is proven in one of two shards and not, or not equally, in the other. Two
    /// that stand at the same place of one log never differ.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let streams = self.streams.difference(&other.streams);
        let streams = streams.or_else(|| other.streams.difference(&self.streams));
        let receipts = streams.or_else(|| self.receipts.difference(&other.receipts));
        receipts.or_else(|| other.receipts.difference(&self.receipts))
    }

    /// What happened since the last call.
    pub fn take_counts(&mut self) -> Counts {
        let conflicts = std::mem::take(&mut self.streams.claim_conflicts);
        Counts { claim_conflicts: conflicts, ..std::mem::take(&mut self.counts) }
    }
}

#[cfg(test)]
mod tests;
