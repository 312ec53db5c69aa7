//! Read models of one shard that stand at the same position: reading, decoding and folding a batch.

use std::collections::VecDeque;
use std::sync::Arc;

use event_log::{Content, Counted, Cursor, Log, Reader, Start};
use schemas::commit::Commit;
use schemas::position::Position;

use super::context::Context;
use super::failure::Failure;
use super::model::Writes;
use super::parked::{Letter, Reading, Unread};
use crate::event::Event;
use crate::store::Marks;

/// Records of the first read of a batch; then as many as the bytes allow.
const FIRST_READ: usize = 16;
/// Most records of one read.
const MAX_READ: usize = 1_000;
/// Most events of one batch; commits hold up to 1,000 each.
const BATCH_EVENTS: usize = 20_000;
/// What a commit weighs beside its payloads, in bytes.
const COMMIT_OVERHEAD: usize = 256;

/// A batch, folded, ready to be written.
pub(crate) struct Prepared {
    pub(crate) marks: Marks,
    pub(crate) writes: Vec<Box<dyn Writes>>,
    pub(crate) letters: Vec<Letter>,
}

pub(crate) struct Group {
    pub(crate) units: Vec<Reading>,
    /// After the last prepared batch.
    pub(crate) cursor: Cursor,
    reader: Reader,
    /// Read, but not yet in a batch.
    ahead: VecDeque<Counted>,
}

impl Group {
    pub(crate) async fn new(log: &Log, units: Vec<Reading>, cursor: Cursor) -> Result<Self, Failure> {
        let reader = log.reader(Start::Cursor(cursor)).await?;
        Ok(Self { units, cursor, reader, ahead: VecDeque::new() })
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.units.iter().flat_map(|reading| reading.unit.names()).copied().collect()
    }

    /// Where the group stands when void records at the end are passed over.
    pub(crate) fn reached(&self) -> u64 {
        if self.ahead.is_empty() { self.reader.cursor().next_offset } else { self.cursor.next_offset }
    }

    /// Takes what is there, but nothing from offset `limit` on; `None` when there is nothing.
    pub(crate) async fn prepare(
        &mut self,
        context: &Context,
        limit: Option<u64>,
    ) -> Result<Option<Prepared>, Failure> {
        let batch = self.read(context, limit).await?;
        let Decoded { batch, events, unread } = self.decode(context, batch)?;
        let Some(last) = batch.last() else { return Ok(None) };
        let new = last.cursor;
        let part = |reading: &Reading| reading.part(&events, &unread, context.parked);
        let parted = match self.units.iter().map(part).collect::<Result<Vec<_>, _>>() {
            Ok(parted) => parted,
            Err(failure) => {
                self.put_back(batch);
                return Err(failure);
            }
        };
        let versions = self.units.iter().flat_map(Reading::versions).collect();
        let (mut writes, mut letters, mut applied) = (Vec::new(), Vec::new(), Vec::new());
        for (reading, parted) in self.units.iter_mut().zip(parted) {
            let own = parted.as_ref().map_or(&events, |parted| &parted.events);
            writes.extend(reading.unit.fold(&context.source, own).await?);
            let count = i64::try_from(own.len()).expect("a batch of events fits the memory");
            applied.extend(reading.unit.names().iter().map(|_| count));
            if let Some(parted) = parted {
                reading.park(&parted.letters);
                letters.extend(parted.letters);
            }
        }
        writes.retain(|rows| rows.len() > 0);
        let old = std::mem::replace(&mut self.cursor, new);
        let head = context.log.end(new.shard).max(new.next_offset);
        let head = if self.reached() >= head { new.next_offset } else { head };
        let at = |counted: &Counted| commit(counted).map(|commit| commit.at);
        let marks = Marks {
            generation: context.generation,
            names: self.names(),
            versions,
            old,
            new,
            head,
            last_at: batch.iter().rev().find_map(at),
            events: applied,
        };
        Ok(Some(Prepared { marks, writes, letters }))
    }

    async fn read(&mut self, context: &Context, limit: Option<u64>) -> Result<Vec<Counted>, Failure> {
        let (mut batch, mut bytes, mut events) = (Vec::new(), 0, 0);
        let mut read = FIRST_READ;
        loop {
            while let Some(counted) = self.ahead.front() {
                let beyond = limit.is_some_and(|limit| counted.offset >= limit);
                let full = batch.len() >= context.batch_commits
                    || bytes >= context.batch_bytes
                    || events >= BATCH_EVENTS;
                if beyond || full {
                    return Ok(batch);
                }
                if let Some(commit) = commit(counted) {
                    bytes += weight(commit);
                    events += commit.events.len();
                }
                batch.extend(self.ahead.pop_front());
            }
            let more = self.reader.next(read.min(context.batch_commits)).await?;
            if more.is_empty() {
                return Ok(batch);
            }
            let size =
                more.iter().filter_map(commit).map(|commit| weight(commit)).sum::<usize>() / more.len();
            read = (context.batch_bytes / size.max(1)).clamp(1, MAX_READ);
            self.ahead.extend(more);
        }
    }

    /// Decodes a batch. What cannot be decoded is told beside the events; a run that parks nothing ends
    /// before the first commit with such an event, and what follows is put back.
    fn decode(&mut self, context: &Context, mut batch: Vec<Counted>) -> Result<Decoded, Failure> {
        let count = batch.iter().filter_map(commit).map(|commit| commit.events.len()).sum();
        let (mut events, mut unread) = (Vec::with_capacity(count), Vec::new());
        for at in 0..batch.len() {
            let Some(commit) = commit(&batch[at]) else { continue };
            let before = events.len();
            self.events(context, commit, batch[at].offset, &mut events, &mut unread);
            if !context.until_end {
                continue;
            }
            if let Some(Unread { position, error, .. }) = unread.pop() {
                let failure =
                    Failure::Undecodable { offset: position.offset, index: position.index.into(), error };
                events.truncate(before);
                self.put_back(batch.split_off(at));
                return if at == 0 {
                    Err(failure)
                } else {
                    Ok(Decoded { batch, events, unread: Vec::new() })
                };
            }
        }
        Ok(Decoded { batch, events, unread })
    }

    fn put_back(&mut self, batch: Vec<Counted>) {
        for counted in batch.into_iter().rev() {
            self.ahead.push_front(counted);
        }
    }

    /// Decodes the events of a commit; of those that it cannot, the ones that some unit reads are told.
    fn events(
        &self,
        context: &Context,
        commit: &Arc<Commit>,
        offset: u64,
        events: &mut Vec<Event>,
        unread: &mut Vec<Unread>,
    ) {
        for (index, record) in (0..).zip(&commit.events) {
            let (generation, shard) = (context.log.genesis().generation, self.cursor.shard);
            let position = Position { generation, shard, offset, index };
            let reads = |reading: &Reading| reading.unit.reads(record.stream.aggregate_type());
            match Event::decode(commit, usize::from(index), position) {
                Ok(event) => events.push(event),
                Err(error) if self.units.iter().any(reads) => {
                    unread.push(Unread { commit: Arc::clone(commit), position, error });
                }
                Err(_) => {}
            }
        }
    }
}

/// A batch with its events.
struct Decoded {
    batch: Vec<Counted>,
    events: Vec<Event>,
    unread: Vec<Unread>,
}

fn commit(counted: &Counted) -> Option<&Arc<Commit>> {
    if let Content::Commit(commit) = &counted.content { Some(commit) } else { None }
}

fn weight(commit: &Commit) -> usize {
    COMMIT_OVERHEAD + commit.events.iter().map(|event| event.data.get().len()).sum::<usize>()
}
