//! The backends, and reading from any of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::cursor::Cursor;
use crate::embedded::{DiskPlace, Embedded};
use crate::fence::{Fence, Kind};
use crate::handle::blocking;
use crate::kafka::{Kafka, Scan};
use crate::memory::Memory;
use crate::reader::{Content, Counted, ReadError, apply};
use crate::record::{ClaimValue, Genesis};
use crate::rule_f::Header;
use crate::stored::Stored;

/// Records looked at per step when a claim is looked for, prepared or read back, and when a shard is inspected.
const STEP_RECORDS: usize = 1_000;

/// The backends.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Embedded(Arc<Embedded>),
    Memory(Memory),
    Kafka(Arc<Kafka>),
}

/// What a reader keeps open between two reads of older records.
#[derive(Debug, Default)]
pub(crate) struct Place {
    disk: Option<DiskPlace>,
    scan: Option<Scan>,
}

/// What was read on the way to a given offset.
#[derive(Debug)]
pub(crate) struct ReadBelow {
    /// Where it ends.
    pub(crate) cursor: Cursor,
    /// Time of the last commit met.
    pub(crate) last_at: Option<DateTime<Utc>>,
    /// When the last record was appended, by the log's clock, if that tells.
    pub(crate) appended_at: Option<DateTime<Utc>>,
}

impl Source {
    pub(crate) fn genesis(&self) -> &Genesis {
        match self {
            Self::Embedded(embedded) => embedded.genesis(),
            Self::Memory(memory) => memory.genesis(),
            Self::Kafka(kafka) => kafka.genesis(),
        }
    }

    pub(crate) fn end(&self, shard: u16) -> u64 {
        match self {
            Self::Embedded(embedded) => embedded.end(shard),
            Self::Memory(memory) => memory.end(shard),
            Self::Kafka(kafka) => kafka.end(shard),
        }
    }

    pub(crate) fn watch(&self, shard: u16) -> watch::Receiver<u64> {
        match self {
            Self::Embedded(embedded) => embedded.watch(shard),
            Self::Memory(memory) => memory.watch(shard),
            Self::Kafka(kafka) => kafka.watch(shard),
        }
    }

    pub(crate) async fn check(&self, cursor: &Cursor) -> Result<(), ReadError> {
        match self {
            Self::Embedded(embedded) => embedded.check(cursor),
            Self::Memory(memory) => memory.check(cursor),
            Self::Kafka(kafka) => kafka.check(cursor).await.map(|_| ()),
        }
    }

    /// The last known place not behind `offset`.
    pub(crate) fn before(&self, shard: u16, offset: u64) -> Cursor {
        match self {
            Self::Embedded(embedded) => embedded.before(shard, offset),
            Self::Memory(memory) => Cursor::beginning(memory.genesis(), shard),
            Self::Kafka(kafka) => {
                let (cursor, _) = kafka.known(shard);
                if cursor.next_offset <= offset { cursor } else { Cursor::beginning(kafka.genesis(), shard) }
            }
        }
    }

    /// Records that follow `cursor` in its shard, if they are in memory; at most `max`, none at the
    /// end. `None` when they have to be [`read`](Self::read).
    pub(crate) fn recent(&self, cursor: &Cursor, max: usize) -> Result<Option<Vec<Arc<Stored>>>, ReadError> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.recent(cursor.shard, cursor.next_offset, max)),
            Self::Memory(memory) => memory.fetch(cursor, max).map(Some),
            Self::Kafka(kafka) => kafka.recent(cursor, max),
        }
    }

    /// Waits while the next record is known to be there but is still on its way to this process.
    pub(crate) async fn arrive(&self, cursor: &Cursor) -> Result<(), ReadError> {
        match self {
            Self::Embedded(_) | Self::Memory(_) => Ok(()),
            Self::Kafka(kafka) => kafka.arrive(cursor).await,
        }
    }

    /// The same as [`recent`](Self::recent) from wherever they are; may block. `None` when they are
    /// on their way: [wait](Self::arrive) and read again. `place` is the reader's own, and kept for it.
    pub(crate) fn read(
        &self,
        place: &mut Place,
        cursor: &Cursor,
        max: usize,
    ) -> Result<Option<Vec<Arc<Stored>>>, ReadError> {
        if let Some(records) = self.recent(cursor, max)? {
            return Ok(Some(records));
        }
        match self {
            Self::Embedded(embedded) => {
                embedded.read(&mut place.disk, cursor.shard, cursor.next_offset, max).map(Some)
            }
            Self::Memory(_) => Ok(Some(Vec::new())),
            Self::Kafka(kafka) => kafka.older(&mut place.scan, cursor, max),
        }
    }

    /// Where `shard` ends under rule F, and the time of its last counted commit.
    pub(crate) async fn basis(&self, shard: u16) -> Result<(Cursor, Option<DateTime<Utc>>), ReadError> {
        match self {
            Self::Embedded(embedded) => embedded.basis(shard),
            Self::Memory(memory) => memory.basis(shard),
            Self::Kafka(kafka) => {
                let (cursor, last_at) = kafka.known(shard);
                let end = kafka.check(&cursor).await?;
                let read = self.read_below(cursor, end).await?;
                let last_at = read.last_at.or(last_at);
                kafka.note(&read.cursor, last_at);
                Ok((read.cursor, last_at))
            }
        }
    }

    /// The same for a process that has read the shard up to `cursor`, its last commit at `last_at`.
    pub(crate) async fn basis_after(
        &self,
        cursor: &Cursor,
        last_at: Option<DateTime<Utc>>,
    ) -> Result<(Cursor, Option<DateTime<Utc>>), ReadError> {
        let Self::Kafka(kafka) = self else { return self.basis(cursor.shard).await };
        let end = kafka.check(cursor).await?;
        let read = self.read_below(*cursor, end).await?;
        Ok((read.cursor, read.last_at.or(last_at)))
    }

    /// The next records at `cursor`, void ones too, as soon as those come that must be there; none at the end.
    pub(crate) async fn step(
        &self,
        place: &mut Place,
        cursor: Cursor,
    ) -> Result<Vec<Arc<Stored>>, ReadError> {
        loop {
            self.arrive(&cursor).await?;
            let (source, mut kept) = (self.clone(), std::mem::take(place));
            let (kept, records) = blocking(move || {
                let records = source.read(&mut kept, &cursor, STEP_RECORDS);
                (kept, records)
            })
            .await;
            *place = kept;
            if let Some(records) = records? {
                return Ok(records);
            }
        }
    }

    /// The claim that opened the epoch of `cursor`, if it stands from `cursor` on, below offset `below`.
    pub(crate) async fn find_claim(
        &self,
        mut cursor: Cursor,
        below: u64,
    ) -> Result<Option<ClaimValue>, ReadError> {
        let mut place = Place::default();
        while cursor.next_offset < below {
            let records = self.step(&mut place, cursor).await?;
            if records.is_empty() {
                break;
            }
            for record in records {
                cursor.next_offset = record.offset + 1;
                let opens = |fence: &Fence| {
                    (fence.kind, fence.epoch, fence.nonce) == (Kind::Claim, cursor.epoch, cursor.nonce)
                };
                if let Header::Fence(fence) = &record.header
                    && opens(fence)
                    && let Ok(Content::Claim(claim)) = record.content(Kind::Claim)
                {
                    return Ok(Some(claim));
                }
            }
        }
        Ok(None)
    }

    /// Reads on below offset `below`, or to the end if that is lower.
    pub(crate) async fn read_below(&self, cursor: Cursor, below: u64) -> Result<ReadBelow, ReadError> {
        let mut read = ReadBelow { cursor, last_at: None, appended_at: None };
        let mut place = Place::default();
        while read.cursor.next_offset < below {
            self.arrive(&read.cursor).await?;
            let step = BelowStep { source: self.clone(), place, read, below };
            // Only Kafka makes its readers wait for other machines.
            let (step, ended) = match self {
                Self::Embedded(_) | Self::Memory(_) => step.run(),
                Self::Kafka(_) => blocking(move || step.run()).await,
            };
            (place, read) = (step.place, step.read);
            if ended? {
                break;
            }
        }
        Ok(read)
    }

    /// Notes how far a reader came that knows the time of the last commit up to there.
    pub(crate) fn note(&self, cursor: &Cursor, last_at: Option<DateTime<Utc>>) {
        if let Self::Kafka(kafka) = self {
            kafka.note(cursor, last_at);
        }
    }
}

/// A step of [`Source::read_below`] on a thread that may block.
struct BelowStep {
    source: Source,
    place: Place,
    read: ReadBelow,
    below: u64,
}

impl BelowStep {
    /// Tells whether the shard ended.
    fn run(mut self) -> (Self, Result<bool, ReadError>) {
        let stepped = self.step();
        (self, stepped)
    }

    fn step(&mut self) -> Result<bool, ReadError> {
        let Some(mut records) = self.source.read(&mut self.place, &self.read.cursor, STEP_RECORDS)? else {
            return Ok(false);
        };
        records.retain(|record| record.offset < self.below);
        let Some(last) = records.last() else { return Ok(true) };
        self.read.appended_at = last.appended_at;
        let mut counted = Vec::new();
        apply(&mut self.read.cursor, &records, &mut counted)?;
        self.read.last_at = last_commit(&counted).or(self.read.last_at);
        Ok(false)
    }
}

/// The time of the last commit among `counted`.
pub(crate) fn last_commit(counted: &[Counted]) -> Option<DateTime<Utc>> {
    let time = |content: &Content| if let Content::Commit(commit) = content { Some(commit.at) } else { None };
    counted.iter().rev().find_map(|record| time(&record.content))
}
