//! Commands on their way through a shard.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use event_log::Record;

use super::io::{Mode, RequestId};
use super::receipts::{CommandKey, Fact};
use crate::command::{Answer, Submission};

/// A command with the requests that wait for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) request: RequestId,
    /// Repetitions that came while it was under way.
    pub(super) joined: Vec<RequestId>,
    pub(super) mode: Mode,
    pub(super) key: CommandKey,
    pub(super) submission: Box<Submission>,
    pub(super) expires: DateTime<Utc>,
    /// Order of arrival, kept through a recovery.
    pub(super) arrival: u64,
    /// Whether it ever was in a batch: its outcome may then be open.
    pub(super) sent: bool,
    /// What it counts in the bound on waiting bytes.
    pub(super) bytes: usize,
}

/// Whose record it is.
#[derive(Debug)]
pub(super) enum Origin {
    Client(Pending),
    Deadline(Box<Submission>),
    Barrier,
}

/// A stamped record that is not proven.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) seq: u64,
    /// Gone once it was sent.
    pub(super) record: Option<Record>,
    pub(super) origin: Origin,
    pub(super) key: CommandKey,
    pub(super) body: u128,
    pub(super) facts: Vec<Fact>,
}

impl Decided {
    pub(super) fn submission(&self) -> Option<&Submission> {
        match &self.origin {
            Origin::Client(pending) => Some(&pending.submission),
            Origin::Deadline(submission) => Some(submission),
            Origin::Barrier => None,
        }
    }
}

/// An answer that waits until the record with sequence `until` is proven.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) until: u64,
    pub(super) pending: Pending,
    pub(super) answer: Answer,
}

/// The batch in flight, and the next one.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    pub(super) sent: VecDeque<Decided>,
    pub(super) forming: VecDeque<Decided>,
}

impl Pipeline {
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.forming.is_empty()
    }

    /// The record with this sequence.
    pub(super) fn find(&mut self, seq: u64) -> Option<&mut Decided> {
        let first = self.sent.front().or_else(|| self.forming.front())?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        let sent = self.sent.len();
        if index < sent { self.sent.get_mut(index) } else { self.forming.get_mut(index - sent) }
    }
}

/// Answers to the requests of `pending`: the first gets `answer`, the repetitions a replayed one.
pub(super) fn answers(pending: Pending, answer: Answer) -> impl Iterator<Item = (RequestId, Answer)> {
    let repeated = match &answer {
        Answer::Accepted(accepted) if !pending.joined.is_empty() => {
            let mut again = accepted.clone();
            again.replayed = true;
            Some(Answer::Accepted(again))
        }
        other if !pending.joined.is_empty() => Some(other.clone()),
        _ => None,
    };
    let joined = pending.joined.into_iter().zip(std::iter::repeat(repeated).flatten());
    std::iter::once((pending.request, answer)).chain(joined)
}
