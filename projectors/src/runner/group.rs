//! Read models of one shard that stand at the same position: reading, decoding and folding a batch.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use event_log::{Content, Counted, Cursor, Log, Reader, Start};
use schemas::commit::Commit;
use schemas::position::Position;
use tokio::time::Instant;
use uuid::Uuid;

use super::bisect::{self, Take};
use super::context::Context;
use super::discards::Discard;
use super::failure::Failure;
use super::model::Writes;
use super::parked::{Letter, Parted, Poison, Reading, cause};
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
    /// What somebody gave up, as the batch tells it.
    pub(crate) discards: Vec<Discard>,
    /// By projection, ids of the events that are left out.
    pub(crate) skipped: Vec<(&'static str, Uuid)>,
    /// The projections that wrote rows.
    pub(crate) worked: Vec<&'static str>,
    /// How many commits it is of.
    pub(crate) commits: usize,
}

pub(crate) struct Group {
    pub(crate) units: Vec<Reading>,
    /// After the last prepared batch.
    pub(crate) cursor: Cursor,
    reader: Reader,
    /// Read, but not yet in a batch.
    ahead: VecDeque<Counted>,
    /// Commits of the batch that was prepared last, or failed to be.
    pub(crate) taken: usize,
}

impl Group {
    pub(crate) async fn new(log: &Log, units: Vec<Reading>, cursor: Cursor) -> Result<Self, Failure> {
        let reader = log.reader(Start::Cursor(cursor)).await?;
        Ok(Self { units, cursor, reader, ahead: VecDeque::new(), taken: 0 })
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
        take: Take,
    ) -> Result<Option<Prepared>, Failure> {
        let batch = self.read(context, limit, take).await?;
        let Decoded { batch, events, poison } = self.decode(context, batch)?;
        self.taken = batch.len();
        let Some(last) = batch.last() else { return Ok(None) };
        let new = last.cursor;
        let parted = match self.part(context, &events, poison, take).await {
            Ok(parted) => parted,
            Err(failure) => {
                self.put_back(batch);
                return Err(failure);
            }
        };
        let versions = self.units.iter().flat_map(Reading::versions).collect();
        let (mut writes, mut letters, mut applied) = (Vec::new(), Vec::new(), Vec::new());
        let (mut worked, mut skipped) = (Vec::new(), Vec::new());
        let discards = events.iter().filter_map(Discard::of).collect();
        for (reading, parted) in self.units.iter_mut().zip(parted) {
            let own = parted.as_ref().map_or(&events, |parted| &parted.events);
            let folded = reading.unit.fold(&context.source, own).await?;
            worked.extend(folded.iter().any(|rows| rows.len() > 0).then(|| reading.name()));
            writes.extend(folded);
            let count = i64::try_from(own.len()).expect("a batch of events fits the memory");
            applied.extend(reading.unit.names().iter().map(|_| count));
            if let Some(parted) = parted {
                reading.park(&parted.letters);
                letters.extend(parted.letters);
                skipped.extend(parted.skipped.into_iter().map(|id| (reading.name(), id)));
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
        let commits = self.taken;
        Ok(Some(Prepared { marks, writes, letters, discards, skipped, worked, commits }))
    }

    /// What each unit applies and parks; of a commit that stands alone, also what it cannot apply is parked.
    async fn part(
        &self,
        context: &Context,
        events: &[Event],
        mut poison: Vec<Poison>,
        take: Take,
    ) -> Result<Vec<Option<Parted>>, Failure> {
        if take == Take::Alone {
            for reading in &self.units {
                self.search(context, reading, events, &mut poison).await?;
            }
        }
        self.units.iter().map(|reading| reading.part(events, &poison, context.parked)).collect()
    }

    /// Adds what one unit cannot apply of a commit.
    async fn search(
        &self,
        context: &Context,
        reading: &Reading,
        events: &[Event],
        poison: &mut Vec<Poison>,
    ) -> Result<(), Failure> {
        let projection = reading.name();
        loop {
            let parted = reading.part(events, poison, context.parked)?;
            let own = parted.as_ref().map_or(events, |parted| &parted.events);
            let Some((at, cause)) = bisect::culprit(context, projection, own).await? else { return Ok(()) };
            let (event, position) = (&own[at], own[at].position());
            let (offset, index) = (position.offset, position.index);
            if context.until_end {
                return Err(Failure::Poison { offset, index, projection, error: cause.error });
            }
            let stream = &event.record().stream;
            if context.breaker.failed(projection, cause.class, stream, Instant::now())
                && !self.is_alive(context, reading).await?
            {
                return Err(Failure::Broad { projection, offset, error: cause.error });
            }
            let commit = event.shared();
            poison.push(Poison { commit, position, projection: Some(projection), cause });
            poison.sort_by_key(|poison| poison.position);
        }
    }

    /// The probe of an outage: whether some later event can be applied, the first of its stream. Then what
    /// fails is poison.
    async fn is_alive(&self, context: &Context, reading: &Reading) -> Result<bool, Failure> {
        let mut seen = HashSet::new();
        for (offset, commit) in
            self.ahead.iter().filter_map(|counted| Some((counted.offset, commit(counted)?)))
        {
            let (mut events, mut poison) = (Vec::new(), Vec::new());
            self.events(context, commit, offset, &mut events, &mut poison);
            events.retain(|event| {
                let stream = &event.record().stream;
                seen.insert(stream.clone()) && !reading.holds(stream)
            });
            for event in events {
                if matches!(bisect::trial(context, reading.name(), &[event]).await?, Ok(rows) if rows > 0) {
                    context.breaker.succeeded(reading.name());
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn read(
        &mut self,
        context: &Context,
        limit: Option<u64>,
        take: Take,
    ) -> Result<Vec<Counted>, Failure> {
        let most = match take {
            Take::All => context.batch_commits,
            Take::First(commits) => commits.min(context.batch_commits),
            Take::Alone => 1,
        };
        let (mut batch, mut bytes, mut events) = (Vec::new(), 0, 0);
        let mut read = FIRST_READ;
        loop {
            while let Some(counted) = self.ahead.front() {
                let beyond = limit.is_some_and(|limit| counted.offset >= limit);
                let full = batch.len() >= most || bytes >= context.batch_bytes || events >= BATCH_EVENTS;
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
        let (mut events, mut poison) = (Vec::with_capacity(count), Vec::new());
        for at in 0..batch.len() {
            let Some(commit) = commit(&batch[at]) else { continue };
            let before = events.len();
            self.events(context, commit, batch[at].offset, &mut events, &mut poison);
            if !context.until_end {
                continue;
            }
            if let Some(failure) = poison.iter().find_map(|poison| self.unread(poison)) {
                poison.retain(|poison| poison.position.offset < batch[at].offset);
                events.truncate(before);
                self.put_back(batch.split_off(at));
                return if at == 0 { Err(failure) } else { Ok(Decoded { batch, events, poison }) };
            }
        }
        Ok(Decoded { batch, events, poison })
    }

    /// The end of a run that parks nothing, unless the event was given up.
    fn unread(&self, poison: &Poison) -> Option<Failure> {
        let Position { offset, index, .. } = poison.position;
        let record = &poison.commit.events[usize::from(index)];
        let needs = |reading: &&Reading| {
            reading.unit.reads(record.stream.aggregate_type())
                && !reading.discarded.contains(&record.stream, record.version)
        };
        let (projection, error) = (self.units.iter().find(needs)?.name(), poison.cause.error.clone());
        Some(Failure::Poison { offset, index, projection, error })
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
        poison: &mut Vec<Poison>,
    ) {
        for (index, record) in (0..).zip(&commit.events) {
            let (generation, shard) = (context.log.genesis().generation, self.cursor.shard);
            let position = Position { generation, shard, offset, index };
            let reads = |reading: &Reading| reading.unit.reads(record.stream.aggregate_type());
            match Event::decode(commit, usize::from(index), position) {
                Ok(event) => events.push(event),
                Err(error) if self.units.iter().any(reads) => {
                    let (commit, cause) = (Arc::clone(commit), cause(&error));
                    poison.push(Poison { commit, position, projection: None, cause });
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
    poison: Vec<Poison>,
}

fn commit(counted: &Counted) -> Option<&Arc<Commit>> {
    if let Content::Commit(commit) = &counted.content { Some(commit) } else { None }
}

fn weight(commit: &Commit) -> usize {
    COMMIT_OVERHEAD + commit.events.iter().map(|event| event.data.get().len()).sum::<usize>()
}
