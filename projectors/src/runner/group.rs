//! Read models of one shard that stand at the same position: reading, decoding and folding a batch.

use std::collections::VecDeque;
use std::sync::Arc;

use event_log::{Content, Counted, Cursor, Log, Reader, Start};
use schemas::commit::Commit;
use schemas::position::Position;

use super::context::Context;
use super::failure::Failure;
use super::model::Writes;
use super::unit::Unit;
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
}

pub(crate) struct Group {
    pub(crate) units: Vec<Box<dyn Unit>>,
    /// After the last prepared batch.
    pub(crate) cursor: Cursor,
    reader: Reader,
    /// Read, but not yet in a batch.
    ahead: VecDeque<Counted>,
}

impl Group {
    pub(crate) async fn new(log: &Log, units: Vec<Box<dyn Unit>>, cursor: Cursor) -> Result<Self, Failure> {
        let reader = log.reader(Start::Cursor(cursor)).await?;
        Ok(Self { units, cursor, reader, ahead: VecDeque::new() })
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.units.iter().flat_map(|unit| unit.names()).copied().collect()
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
        let (batch, events) = self.decode(context, batch)?;
        let Some(last) = batch.last() else { return Ok(None) };
        let new = last.cursor;
        let mut writes = Vec::new();
        for unit in &mut self.units {
            writes.extend(unit.fold(&context.source, &events).await?);
        }
        writes.retain(|rows| rows.len() > 0);
        let old = std::mem::replace(&mut self.cursor, new);
        let head = context.log.end(new.shard).max(new.next_offset);
        let head = if self.reached() >= head { new.next_offset } else { head };
        let at = |counted: &Counted| commit(counted).map(|commit| commit.at);
        let marks = Marks {
            generation: context.generation,
            names: self.names(),
            old,
            new,
            head,
            last_at: batch.iter().rev().find_map(at),
            events: events.len() as u64,
        };
        Ok(Some(Prepared { marks, writes }))
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

    /// Decodes up to the first commit with an event that one of the units must not pass over; what
    /// follows it is put back.
    fn decode(
        &mut self,
        context: &Context,
        mut batch: Vec<Counted>,
    ) -> Result<(Vec<Counted>, Vec<Event>), Failure> {
        let count = batch.iter().filter_map(commit).map(|commit| commit.events.len()).sum();
        let mut events = Vec::with_capacity(count);
        for at in 0..batch.len() {
            let Some(commit) = commit(&batch[at]) else { continue };
            let before = events.len();
            match self.events(context, commit, batch[at].offset, &mut events) {
                Ok(()) => {}
                Err(failure) => {
                    events.truncate(before);
                    for counted in batch.drain(at..).rev() {
                        self.ahead.push_front(counted);
                    }
                    return if at == 0 { Err(failure) } else { Ok((batch, events)) };
                }
            }
        }
        Ok((batch, events))
    }

    fn events(
        &self,
        context: &Context,
        commit: &Arc<Commit>,
        offset: u64,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        for (index, record) in commit.events.iter().enumerate() {
            let aggregate_type = record.stream.aggregate_type();
            let position = Position {
                generation: context.log.genesis().generation,
                shard: self.cursor.shard,
                offset,
                index: u16::try_from(index).expect("a commit has at most 1,000 events"),
            };
            match Event::decode(commit, index, position) {
                Ok(event) => events.push(event),
                Err(error) if self.units.iter().any(|unit| unit.reads(aggregate_type)) => {
                    let aggregate_type = aggregate_type.to_owned();
                    return Err(Failure::Undecodable { aggregate_type, offset, index, error });
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}

fn commit(counted: &Counted) -> Option<&Arc<Commit>> {
    if let Content::Commit(commit) = &counted.content { Some(commit) } else { None }
}

fn weight(commit: &Commit) -> usize {
    COMMIT_OVERHEAD + commit.events.iter().map(|event| event.data.get().len()).sum::<usize>()
}
