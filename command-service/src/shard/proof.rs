//! From reports to answers: what is proven is said, and nothing else.

use super::io::AppendFailure;
use super::pending::{Decided, Held, Origin, Pending};
use super::receipts::{Fact, Outcome, Receipt};
use super::streams::{Change, streams_of};
use super::{Output, Phase, Shard};
use crate::command::Answer;

impl Shard {
    /// Holds an answer until a record that comes after everything it was decided on is proven: until
    /// then nobody knows whether this process is still the owner. On a log that only this process can
    /// claim, the records it was decided on are enough.
    pub(super) fn hold(&mut self, pending: Pending, answer: Answer) {
        let Phase::Owner(ownership) = &self.phase else { return self.wait(pending) };
        let decided = ownership.next_seq() - 1;
        let until = if self.settings.exclusive { decided } else { decided + 1 };
        self.hold_until(until, pending, answer);
    }

    /// Holds an answer until the records that it was decided on are proven.
    pub(super) fn hold_for_decided(&mut self, pending: Pending, answer: Answer) {
        let Phase::Owner(ownership) = &self.phase else { return self.wait(pending) };
        self.hold_until(ownership.next_seq() - 1, pending, answer);
    }

    fn hold_until(&mut self, until: u64, pending: Pending, answer: Answer) {
        let Phase::Owner(ownership) = &self.phase else { return self.wait(pending) };
        if until <= ownership.proven() && self.held.is_empty() {
            return self.finish(pending, answer);
        }
        let until = self.held.back().map_or(until, |last| last.until.max(until));
        self.held.push_back(Held { until, pending, answer });
    }

    /// The report of the batch in flight.
    pub(super) fn reported(&mut self, report: Result<Vec<u64>, AppendFailure>) {
        let Phase::Owner(ownership) = &mut self.phase else { return };
        let mut broken = None;
        match report {
            Ok(offsets) => {
                let mut offsets = offsets.into_iter();
                for decided in &self.pipeline.sent {
                    if let Err(proof) = ownership.report(decided.seq, offsets.next()) {
                        broken = Some(proof);
                        break;
                    }
                }
            }
            Err(failure) => return self.not_appended(&failure),
        }
        let proven = ownership.proven();
        self.settle(proven);
        match broken {
            None => {
                (self.broken, self.failures) = (0, 0);
                self.alone = self.alone.saturating_sub(1);
            }
            Some(proof) if proof.is_damage() => self.stop(format!("the log lost records: {proof}")),
            Some(_) => self.recover(),
        }
    }

    /// Answers everything up to sequence `proven`.
    fn settle(&mut self, proven: u64) {
        while self.pipeline.sent.front().is_some_and(|decided| decided.seq <= proven) {
            if let Some(decided) = self.pipeline.sent.pop_front() {
                self.prove(decided);
            }
        }
        while self.held.front().is_some_and(|held| held.until <= proven) {
            if let Some(held) = self.held.pop_front() {
                self.finish(held.pending, held.answer);
            }
        }
    }

    fn prove(&mut self, decided: Decided) {
        let Phase::Owner(ownership) = &self.phase else { return };
        let offset = ownership.offset_of(decided.seq);
        self.cursor.next_offset = offset + 1;
        self.cursor.last_counted = Some(offset);
        self.cursor.next_seq = decided.seq + 1;
        let Some(submission) = decided.submission() else { return };
        let home = submission.home.clone();
        let change = Change { facts: &decided.facts, offset, correlation: &submission.correlation };
        self.streams.prove(decided.seq, change);
        self.announce(&decided.facts, offset);
        let receipt = Receipt { body: decided.body, offset, outcome: Outcome::of(&home, &decided.facts) };
        self.count(&receipt.outcome);
        if let Origin::Client(pending) = decided.origin {
            let answer = self.stored(&home, &receipt, false);
            self.receipts.prove(decided.key, receipt);
            self.finish(pending, answer);
        } else {
            self.receipts.prove(decided.key, receipt);
        }
    }

    /// Wakes those who wait for a task of a queue.
    pub(super) fn announce(&mut self, facts: &[Fact], offset: u64) {
        for stream in streams_of(facts) {
            let Some(entry) = self.streams.current(stream) else { continue };
            let Some(place) = entry.place().filter(|_| entry.offset == offset) else { continue };
            match self.out.last_mut() {
                Some(Output::Ready { queue, tasks }) if queue == place.queue() => *tasks += 1,
                _ => self.out.push(Output::Ready { queue: place.queue().clone(), tasks: 1 }),
            }
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::One { kind, .. } => {
                self.counts.lease_renewals += u64::from(*kind == "gesta.work.task.lease_renewed.v1");
            }
            Outcome::Many(many) => self.counts.leases += many.leases.len() as u64,
        }
        self.counts.accepted += 1;
    }
}
