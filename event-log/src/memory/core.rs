//! The synchronous core: shards, batches in flight, and every fault that a real log can show.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::reader::{Counted, ReadError, apply};
use crate::record::{Genesis, Record};
use crate::rule_f::Header;
use crate::stored::Stored;

/// A batch that was sent and has not landed for the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(u64);

/// A log in memory whose caller decides every outcome.
///
/// A sent batch is in flight until it is landed or lost; what is in flight survives the crash of its
/// sender, as packets and broker queues do. Landing gives the offsets; whether the sender hears of
/// them is the caller's choice.
#[derive(Debug, Clone)]
pub struct MemoryCore {
    genesis: Genesis,
    shards: Vec<Vec<Arc<Stored>>>,
    in_flight: BTreeMap<BatchId, (u16, Vec<Record>)>,
    sent: u64,
}

impl MemoryCore {
    /// A new log: GENESIS at offset 0 of every shard.
    #[must_use]
    pub fn new(genesis: Genesis) -> Self {
        let first = || vec![Arc::new(Stored::of(0, genesis.record()))];
        let shards = (0..genesis.shards).map(|_| first()).collect();
        Self { genesis, shards, in_flight: BTreeMap::new(), sent: 0 }
    }

    /// Which log this is.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Next offset of `shard`.
    ///
    /// # Panics
    /// When the log has no such shard, like every function here that takes one.
    #[must_use]
    pub fn end(&self, shard: u16) -> u64 {
        self.shards[usize::from(shard)].len() as u64
    }

    /// Sends a batch; nothing lands yet.
    pub fn send(&mut self, shard: u16, records: Vec<Record>) -> BatchId {
        assert!(shard < self.genesis.shards, "there is no shard {shard}");
        self.sent += 1;
        let id = BatchId(self.sent);
        self.in_flight.insert(id, (shard, records));
        id
    }

    /// The batches in flight, oldest first, with their shards.
    pub fn in_flight(&self) -> impl Iterator<Item = (BatchId, u16)> + '_ {
        self.in_flight.iter().map(|(id, (shard, _))| (*id, *shard))
    }

    /// Lands a batch whole and in order; the offsets are what a report would carry. Empty when the
    /// batch is not in flight any more.
    pub fn land(&mut self, id: BatchId) -> Vec<u64> {
        let Some((shard, records)) = self.in_flight.remove(&id) else { return Vec::new() };
        records.into_iter().map(|record| self.append(shard, record)).collect()
    }

    /// Lands a copy of a batch and keeps the batch in flight: a later [`land`](Self::land) lands it
    /// again, as a retry whose first try was not lost after all.
    pub fn land_copy(&mut self, id: BatchId) -> Vec<u64> {
        let Some((shard, records)) = self.in_flight.get(&id).cloned() else { return Vec::new() };
        records.into_iter().map(|record| self.append(shard, record)).collect()
    }

    /// Lands only the records of a batch named by `order`, in that order; the others are lost.
    /// The offsets are in the order of `order`. Indexes past the batch are passed over.
    pub fn land_some(&mut self, id: BatchId, order: &[usize]) -> Vec<u64> {
        let Some((shard, records)) = self.in_flight.remove(&id) else { return Vec::new() };
        order
            .iter()
            .filter_map(|&i| records.get(i))
            .map(|record| self.append(shard, record.clone()))
            .collect()
    }

    /// Loses a batch: it never lands.
    pub fn lose(&mut self, id: BatchId) {
        self.in_flight.remove(&id);
    }

    /// Loses everything of `shard` from offset `end` on, confirmed or not: a broker's unclean
    /// election, a restored old copy. No real backend may do it; readers must notice.
    pub fn truncate(&mut self, shard: u16, end: u64) {
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        self.shards[usize::from(shard)].truncate(end);
    }

    /// Appends a record of somebody else: any header, any value.
    pub fn append_foreign(&mut self, shard: u16, header: &[u8], value: Bytes) -> u64 {
        let offset = self.end(shard);
        self.shards[usize::from(shard)].push(Arc::new(Stored::new(offset, Header::parse(header), value)));
        offset
    }

    /// Reads on from `cursor` through rule F: at most `max_records` records of the log are looked
    /// at. The answer is what counts of them and the cursor after them; it stands still at the end.
    ///
    /// # Errors
    /// [`ReadError`] as [`Reader::next`](crate::Reader::next); counted records before the place in
    /// question are handed out first.
    pub fn read(&self, cursor: &Cursor, max_records: usize) -> Result<(Vec<Counted>, Cursor), ReadError> {
        let mut after = *cursor;
        let mut counted = Vec::new();
        match apply(&mut after, self.records(cursor, max_records)?, &mut counted) {
            Err(error) if counted.is_empty() => Err(error),
            _ => Ok((counted, after)),
        }
    }

    /// Checks that `cursor` still belongs to this log, by its last counted record.
    ///
    /// # Errors
    /// [`ReadError::OtherLog`], [`ReadError::Truncated`] or [`ReadError::Changed`].
    pub fn check(&self, cursor: &Cursor) -> Result<(), ReadError> {
        crate::handle::check_cursor(&self.genesis, self.end(cursor.shard), cursor, |offset| {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            Ok(self.shards[usize::from(cursor.shard)].get(at).map(|record| record.header.clone()))
        })
    }

    pub(crate) fn records(&self, cursor: &Cursor, max: usize) -> Result<&[Arc<Stored>], ReadError> {
        let records = &self.shards[usize::from(cursor.shard)];
        let from = usize::try_from(cursor.next_offset).unwrap_or(usize::MAX);
        let rest = records.get(from..).ok_or(ReadError::Truncated {
            shard: cursor.shard,
            end: records.len() as u64,
            next_offset: cursor.next_offset,
        })?;
        Ok(&rest[..rest.len().min(max)])
    }

    fn append(&mut self, shard: u16, record: Record) -> u64 {
        let offset = self.end(shard);
        self.shards[usize::from(shard)].push(Arc::new(Stored::of(offset, record)));
        offset
    }
}
