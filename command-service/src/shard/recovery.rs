//! Ownership: how it is won, how it is lost, and what becomes of the commands meanwhile.

use schemas::problem::Code;

use super::io::{AppendFailure, Claim};
use super::pending::{Decided, Origin, Pending};
use super::{Output, Phase, Shard, limits};
use crate::command::Answer;

impl Shard {
    /// This process shall not own the shard any more: no command is taken, what is under way ends.
    pub(super) fn revoke(&mut self) {
        match self.phase {
            Phase::Owner(_) => self.draining = true,
            Phase::Claiming => self.lose(),
            Phase::Following | Phase::Stopped(_) => {}
        }
    }

    /// The same at once: what was sent may count or not.
    pub(super) fn lose(&mut self) {
        if !matches!(self.phase, Phase::Owner(_) | Phase::Claiming) {
            return;
        }
        let pending = self.take_pending();
        self.follow();
        self.fail_all(pending, Code::NotReady, "the shard went to another owner; nothing was written");
    }

    /// Reads what others write, from the last proven record on.
    pub(super) fn follow(&mut self) {
        (self.phase, self.draining) = (Phase::Following, false);
        (self.failures, self.broken, self.alone) = (0, 0, 0);
    }

    /// Another owner's claim counts.
    pub(super) fn fenced(&mut self) {
        if matches!(self.phase, Phase::Owner(_)) {
            self.recover();
        }
    }

    /// This process shall own the shard.
    pub(super) fn lead(&mut self) {
        self.draining = false;
        if matches!(self.phase, Phase::Following) {
            self.claim_again();
        }
    }

    fn claim_again(&mut self) {
        self.phase = Phase::Claiming;
        self.out.push(Output::Claim { failures: self.failures });
    }

    /// The claim counted.
    pub(super) fn claimed(&mut self, claim: Claim) {
        if !matches!(self.phase, Phase::Claiming) {
            return;
        }
        if self.cursor != claim.cursor {
            return self.stop(format!(
                "the log was read to offset {}, but the claim stands before offset {}",
                self.cursor.next_offset, claim.cursor.next_offset
            ));
        }
        if let Some(last) = claim.last_at {
            self.advance(last);
        }
        self.last_barrier = None;
        self.phase = Phase::Owner(claim.ownership);
    }

    /// The claim did not count; the shard is still to be owned.
    pub(super) fn not_claimed(&mut self) {
        if matches!(self.phase, Phase::Claiming) {
            self.failures = self.failures.saturating_add(1);
            self.claim_again();
        }
    }

    /// The batch has no offsets. A command that the log refuses alone, for what it is, fails alone.
    pub(super) fn not_appended(&mut self, failure: &AppendFailure) {
        let barrier = |decided: &Decided| matches!(decided.origin, Origin::Barrier);
        self.pipeline.sent.retain(|decided| !barrier(decided));
        if failure.permanent && self.pipeline.sent.len() == 1 {
            // The log works: there is nothing to wait for before the next claim.
            self.failures = 0;
            match self.pipeline.sent.pop_front().map(|decided| decided.origin) {
                Some(Origin::Client(pending)) => {
                    let detail = format!("the log refuses this command: {}", failure.detail);
                    self.finish(pending, Answer::Failed { code: Code::CommitTooLarge, detail });
                }
                Some(Origin::Deadline(submission)) => {
                    self.recover();
                    return self.set_aside(&submission.home);
                }
                Some(Origin::Barrier) | None => {}
            }
        }
        self.recover();
    }

    /// The proof is broken: forget what is not proven, claim again; then every command is looked up
    /// by its id and, if absent, executed again.
    pub(super) fn recover(&mut self) {
        self.counts.recoveries += 1;
        self.broken += 1;
        if self.draining {
            return self.lose();
        }
        let mut pending = self.take_pending();
        pending.sort_by_key(|pending| pending.arrival);
        self.alone = if self.broken >= limits::ISOLATE_AFTER { pending.len().max(1) } else { 0 };
        for pending in pending {
            self.wait(pending);
        }
        self.claim_again();
        self.failures = self.failures.saturating_add(1);
    }

    /// Every command without an answer; speculative state is forgotten.
    fn take_pending(&mut self) -> Vec<Pending> {
        self.streams.forget_unproven();
        self.receipts.forget_unproven();
        let sent = self.pipeline.sent.drain(..);
        let decided = sent.chain(self.pipeline.forming.drain(..));
        let mut pending: Vec<Pending> = decided
            .filter_map(|decided| match decided.origin {
                Origin::Client(pending) => Some(pending),
                Origin::Deadline(_) | Origin::Barrier => None,
            })
            .collect();
        pending.extend(self.held.drain(..).map(|held| held.pending));
        pending.extend(self.waiting.drain(..));
        pending
    }

    /// Damage: the shard says so and decides nothing any more.
    pub(super) fn stop(&mut self, place: String) {
        let pending = self.take_pending();
        self.fail_all(pending, Code::ShardStopped, &place);
        self.alone = 0;
        self.phase = Phase::Stopped(place);
    }

    /// Ends commands that will not be decided here. The outcome of one that was sent is open.
    fn fail_all(&mut self, pending: Vec<Pending>, code: Code, detail: &str) {
        for pending in pending {
            let failed = Answer::Failed { code, detail: detail.to_owned() };
            let answer = if pending.sent { Answer::Unknown } else { failed };
            self.finish(pending, answer);
        }
    }

    /// Drops commands that nobody waits for any more. One that was never sent has failed for certain.
    pub(super) fn expire_waiting(&mut self) {
        let now = self.now;
        if !self.waiting.iter().any(|pending| pending.expires <= now) {
            return;
        }
        let (late, waiting): (Vec<_>, Vec<_>) =
            self.waiting.drain(..).partition(|pending| pending.expires <= now);
        self.waiting.extend(waiting);
        self.fail_all(late, Code::NotReady, "the shard has no owner yet; nothing was written");
    }
}
