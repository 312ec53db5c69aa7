//! The end of the log in memory: recent records, parsed once for all readers, and every shard's state.

use std::collections::VecDeque;
use std::sync::Arc;

use super::header::Mark;
use super::tracker::Tracker;
use crate::rule_f::Verdict;
use crate::stored::Stored;

/// What a record in the tail is counted with beside its value, in bytes.
const RECORD_OVERHEAD_BYTES: usize = 512;
/// A parsed commit takes about as much again as its text, which is kept too.
const PARSED_FACTOR: usize = 3;

/// Recent records of all shards, bounded in bytes.
#[derive(Debug)]
pub(super) struct Tail {
    records: Vec<VecDeque<Arc<Stored>>>,
    /// Shards in the order in which their records came.
    order: VecDeque<u16>,
    bytes: usize,
    limit: usize,
    tracker: Tracker,
}

fn weight(record: &Stored) -> usize {
    RECORD_OVERHEAD_BYTES + PARSED_FACTOR * record.value.len()
}

impl Tail {
    pub(super) fn new(tracker: Tracker, limit: usize) -> Self {
        let records = tracker.shards.iter().map(|_| VecDeque::new()).collect();
        Self { records, order: VecDeque::new(), bytes: 0, limit, tracker }
    }

    pub(super) fn mark(&self, shard: u16) -> Mark {
        self.tracker.shards[usize::from(shard)]
    }

    pub(super) fn marks(&self) -> &[Mark] {
        &self.tracker.shards
    }

    /// Adds a durable record; the ones that have to make room for it are moved to `evicted`, so
    /// that the caller frees them outside its lock.
    pub(super) fn push(&mut self, shard: u16, record: Arc<Stored>, evicted: &mut Vec<Arc<Stored>>) {
        if self.tracker.pass(shard, &record.header) == Verdict::Void {
            tracing::debug!(shard, offset = record.offset, "this record does not count");
        }
        self.bytes += weight(&record);
        self.records[usize::from(shard)].push_back(record);
        self.order.push_back(shard);
        while self.bytes > self.limit {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(record) = self.records[usize::from(oldest)].pop_front() {
                self.bytes -= weight(&record);
                evicted.push(record);
            }
        }
    }

    /// Records of `shard` from offset `from` on, at most `max`, of at most `max_bytes` after the
    /// first. None when the tail does not reach back that far.
    pub(super) fn get(
        &self,
        shard: u16,
        from: u64,
        max: usize,
        max_bytes: usize,
    ) -> Option<Vec<Arc<Stored>>> {
        let records = &self.records[usize::from(shard)];
        let first = self.mark(shard).end - records.len() as u64;
        let skip = usize::try_from(from.checked_sub(first)?).ok()?;
        let mut bytes = 0;
        let fits = |record: &&Arc<Stored>| {
            bytes += record.value.len();
            bytes <= max_bytes || bytes == record.value.len()
        };
        Some(records.iter().skip(skip).take(max).take_while(fits).cloned().collect())
    }
}
