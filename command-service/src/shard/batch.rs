//! One batch in flight; what is decided meanwhile forms the next one.

use event_log::{Kind, Record};

use super::pending::{Decided, Origin};
use super::receipts::CommandKey;
use super::{Output, Phase, Shard, limits};

impl Shard {
    /// Decides the commands that waited. While they go one per batch, only one, and only when nothing
    /// is in flight.
    pub(super) fn take_up(&mut self) {
        while !self.waiting.is_empty() {
            if self.alone > 0 && !self.pipeline.is_empty() {
                return;
            }
            if let Some(pending) = self.waiting.pop_front() {
                self.execute(pending);
            }
        }
    }

    /// Sends the next batch if none is in flight.
    pub(super) fn send(&mut self) {
        if !self.pipeline.sent.is_empty() {
            return;
        }
        self.add_barrier();
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(mut decided) = self.pipeline.forming.pop_front() {
            let size = decided.record.as_ref().map_or(0, Record::size);
            let full = records.len() == limits::MAX_BATCH_RECORDS || bytes + size > limits::MAX_BATCH_BYTES;
            if full && !records.is_empty() {
                self.pipeline.forming.push_front(decided);
                break;
            }
            if let Origin::Client(pending) = &mut decided.origin {
                pending.sent = true;
            }
            bytes += size;
            records.extend(decided.record.take());
            self.pipeline.sent.push_back(decided);
        }
        if !records.is_empty() {
            self.counts.batches += 1;
            self.counts.records += records.len() as u64;
            self.out.push(Output::Append(records));
        }
    }

    /// Adds a barrier when an answer waits for a record that is not stamped yet.
    fn add_barrier(&mut self) {
        let Phase::Owner(ownership) = &mut self.phase else { return };
        let missing = self.held.back().is_some_and(|held| held.until >= ownership.next_seq());
        let early = self.last_barrier.is_some_and(|last| self.now < last + limits::BARRIER_INTERVAL);
        if !missing || early {
            return;
        }
        self.last_barrier = Some(self.now);
        self.counts.barriers += 1;
        let seq = ownership.next_seq();
        let record = Some(Record::barrier(ownership.stamp(Kind::Barrier)));
        let key = CommandKey(0);
        let origin = Origin::Barrier;
        self.pipeline.forming.push_back(Decided { seq, record, origin, key, body: 0, facts: Vec::new() });
    }

    /// Says when to come back if nothing happens.
    pub(super) fn wake(&mut self) {
        let at = match &self.phase {
            Phase::Stopped(_) | Phase::Following => None,
            Phase::Claiming => (!self.waiting.is_empty()).then(|| self.now + limits::EXPIRY_INTERVAL),
            // The report of the batch in flight comes first.
            Phase::Owner(_) if !self.pipeline.sent.is_empty() => None,
            Phase::Owner(_) => {
                let barrier = self.last_barrier.filter(|_| !self.held.is_empty());
                let barrier = barrier.map(|last| last + limits::BARRIER_INTERVAL);
                [barrier, self.streams.deadlines.next()].into_iter().flatten().min()
            }
        };
        self.out.extend(at.map(Output::WakeAt));
    }
}
