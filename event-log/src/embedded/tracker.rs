//! The state of every shard at the end of the log, kept while records pass by.

use super::header::Mark;
use crate::fence::Kind;
use crate::rule_f::{self, Header, Verdict};

/// One [`Mark`] per shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tracker {
    pub(super) shards: Vec<Mark>,
}

impl Tracker {
    pub(super) fn new(shards: Vec<Mark>) -> Self {
        Self { shards }
    }

    /// Moves past the next record of `shard`, by its header alone.
    pub(super) fn pass(&mut self, shard: u16, header: &Header) -> Verdict {
        let mark = &mut self.shards[usize::from(shard)];
        let offset = mark.end;
        mark.end += 1;
        if mark.unreadable.is_some() {
            return Verdict::Unreadable;
        }
        let (state, verdict) = rule_f::step(mark.state(), offset, header);
        match verdict {
            Verdict::Void => {}
            Verdict::Unreadable => mark.unreadable = Some(offset),
            Verdict::Counts(kind) => {
                mark.last_counted = Some(offset);
                (mark.epoch, mark.nonce, mark.next_seq) = (state.epoch, state.nonce, state.next_seq);
                if kind == Kind::Commit {
                    mark.last_commit = Some(offset);
                }
            }
        }
        verdict
    }
}
