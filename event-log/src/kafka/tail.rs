//! The end of the log in memory: what came last from the brokers, parsed once for all readers.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::reader::ReadError;
use crate::stored::Stored;

/// What a record in the tail is counted with beside its value, in bytes.
const RECORD_OVERHEAD_BYTES: usize = 512;
/// A parsed commit takes about as much again as its text, which is kept too.
const PARSED_FACTOR: usize = 3;

/// Recent records of all shards, bounded in bytes.
#[derive(Debug)]
pub(super) struct Tail {
    shards: Vec<Shard>,
    /// Shards in the order in which their records came.
    order: VecDeque<u16>,
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Shard {
    records: VecDeque<Arc<Stored>>,
    /// What lies below is not kept.
    start: u64,
    /// Every record below came.
    next: u64,
    failure: Option<ReadError>,
}

/// Where an offset lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lies {
    /// Below the tail: it has to be fetched.
    Before,
    /// It, or a record behind it, is in the tail.
    Within,
    /// No record of it or behind it came yet.
    Beyond,
}

fn weight(record: &Stored) -> usize {
    RECORD_OVERHEAD_BYTES + PARSED_FACTOR * record.value.len()
}

impl Tail {
    /// Begins empty at the ends of the shards.
    pub(super) fn new(ends: &[u64], limit: usize) -> Self {
        let shard = |end: &u64| Shard { records: VecDeque::new(), start: *end, next: *end, failure: None };
        let shards = ends.iter().map(shard).collect();
        Self { shards, order: VecDeque::new(), bytes: 0, limit }
    }

    /// The next offset to come.
    pub(super) fn next(&self, shard: u16) -> u64 {
        self.shards[usize::from(shard)].next
    }

    /// Adds the next record; the ones that have to make room for it are moved to `evicted`, so that
    /// the caller frees them outside its lock.
    pub(super) fn push(&mut self, shard: u16, record: Arc<Stored>, evicted: &mut Vec<Arc<Stored>>) {
        let held = &mut self.shards[usize::from(shard)];
        if record.offset < held.next {
            return;
        }
        held.next = record.offset + 1;
        self.bytes += weight(&record);
        held.records.push_back(record);
        self.order.push_back(shard);
        while self.bytes > self.limit {
            let Some(oldest) = self.order.pop_front() else { break };
            let held = &mut self.shards[usize::from(oldest)];
            if let Some(record) = held.records.pop_front() {
                held.start = record.offset + 1;
                self.bytes -= weight(&record);
                evicted.push(record);
            }
        }
    }

    /// Passes over offsets up to `end` that hold no records, such as a foreign transaction's marker.
    pub(super) fn pass(&mut self, shard: u16, end: u64) {
        let held = &mut self.shards[usize::from(shard)];
        held.next = held.next.max(end);
    }

    /// No records stand from `from` to `end`: nothing of it has to be fetched.
    pub(super) fn begin_at(&mut self, shard: u16, from: u64, end: u64) {
        let held = &mut self.shards[usize::from(shard)];
        if held.start <= end {
            held.start = held.start.min(from);
        }
    }

    /// Nothing of `shard` is read any more: it is damaged.
    pub(super) fn fail(&mut self, shard: u16, failure: ReadError) {
        self.shards[usize::from(shard)].failure.get_or_insert(failure);
    }

    /// Where `offset` lies.
    ///
    /// # Errors
    /// Why the shard is not read any more.
    pub(super) fn lies(&self, shard: u16, offset: u64) -> Result<Lies, ReadError> {
        let held = &self.shards[usize::from(shard)];
        match &held.failure {
            Some(failure) => Err(failure.clone()),
            None if offset < held.start => Ok(Lies::Before),
            None if held.records.back().is_some_and(|last| offset <= last.offset) => Ok(Lies::Within),
            None => Ok(Lies::Beyond),
        }
    }

    /// Records of `shard` from `from` on, which lies in the tail: at most `max`, of at most
    /// `max_bytes` after the first.
    pub(super) fn get(&self, shard: u16, from: u64, max: usize, max_bytes: usize) -> Vec<Arc<Stored>> {
        let records = &self.shards[usize::from(shard)].records;
        let skip = records.partition_point(|record| record.offset < from);
        let mut bytes = 0;
        let fits = |record: &&Arc<Stored>| {
            bytes += record.value.len();
            bytes <= max_bytes || bytes == record.value.len()
        };
        records.iter().skip(skip).take(max).take_while(fits).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule_f::Header;

    fn record(offset: u64, bytes: usize) -> Arc<Stored> {
        Arc::new(Stored::new(offset, Header::parse(&[]), vec![0; bytes].into()))
    }

    fn offsets(records: &[Arc<Stored>]) -> Vec<u64> {
        records.iter().map(|record| record.offset).collect()
    }

    /// PLAT-1: the tail is found by offset, whatever gaps there are, and forgets its oldest records first.
    #[test]
    fn a_tail_is_bounded_and_found_by_offset() {
        let mut tail = Tail::new(&[5, 0], 4 * (RECORD_OVERHEAD_BYTES + 3 * 100));
        let mut evicted = Vec::new();
        for (shard, offset) in [(0, 5), (1, 0), (0, 6), (0, 9), (0, 6)] {
            tail.push(shard, record(offset, 100), &mut evicted);
        }
        assert!(evicted.is_empty());
        let lies = |tail: &Tail, offset| tail.lies(0, offset).ok();
        assert_eq!((lies(&tail, 4), lies(&tail, 5)), (Some(Lies::Before), Some(Lies::Within)));
        assert_eq!((lies(&tail, 9), lies(&tail, 10)), (Some(Lies::Within), Some(Lies::Beyond)));
        assert_eq!(offsets(&tail.get(0, 7, 9, 1_000)), [9], "7 and 8 hold no records");
        assert_eq!(offsets(&tail.get(0, 5, 2, 1_000)), [5, 6]);
        assert_eq!(offsets(&tail.get(0, 5, 9, 150)), [5], "one record, however large");
        tail.push(1, record(1, 100), &mut evicted);
        assert_eq!((offsets(&evicted), lies(&tail, 5)), (vec![5], Some(Lies::Before)));
        tail.pass(0, 12);
        assert_eq!((lies(&tail, 11), tail.next(0)), (Some(Lies::Beyond), 12), "nothing there to be read");
        tail.begin_at(1, 0, 0);
        tail.begin_at(0, 3, 4);
        assert_eq!(lies(&tail, 3), Some(Lies::Before), "6 may hold a record");
        tail.begin_at(0, 3, 6);
        assert_eq!((lies(&tail, 2), lies(&tail, 3)), (Some(Lies::Before), Some(Lies::Within)));
        assert_eq!(offsets(&tail.get(0, 3, 1, 1_000)), [6]);
        tail.fail(0, ReadError::NoGenesis { shard: 0 });
        assert!(tail.lies(0, 6).is_err() && tail.lies(1, 0).is_ok());
    }
}
