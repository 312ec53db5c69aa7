//! What one projection set aside in one shard: events that it cannot read, and those of the same
//! stream that wait behind them.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemas::commit::Commit;
use schemas::ids::Stream;
use schemas::position::Position;
use schemas::upcast::DecodeError;
use uuid::Uuid;

use super::discards::Discarded;
use super::failure::{Class, Failure};
use super::unit::Unit;
use crate::event::{Event, EventError};

/// Most bytes of an error's text.
const MAX_ERROR_BYTES: usize = 2 * 1024;

/// An event that is to be parked.
#[derive(Debug, Clone)]
pub(crate) struct Poison {
    pub(crate) commit: Arc<Commit>,
    pub(crate) position: Position,
    /// The projection that cannot apply it; `None` when nobody can read it.
    pub(crate) projection: Option<&'static str>,
    pub(crate) cause: Cause,
}

/// Why a letter was refused.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    /// Where it failed.
    pub(crate) stage: &'static str,
    /// What was wrong.
    pub(crate) error: String,
    /// How often it was tried.
    pub(crate) attempts: i32,
    pub(crate) class: Class,
}

/// An event as it is parked.
pub(crate) struct Letter {
    pub(crate) projection: &'static str,
    pub(crate) stream: Stream,
    pub(crate) version: u64,
    pub(crate) event_id: Uuid,
    pub(crate) kind: String,
    pub(crate) position: Position,
    /// The commit with this event alone, JSON.
    pub(crate) event: String,
    /// None of a follower.
    pub(crate) cause: Option<Cause>,
}

/// How much one projection may park in one shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) streams: usize,
    pub(crate) letters: usize,
}

/// What a stream has parked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) letters: usize,
    pub(crate) since: DateTime<Utc>,
}

/// The streams that are parked.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    letters: HashMap<Stream, Held>,
    /// As it stands beside the cursor.
    pub(crate) version: i64,
}

/// A unit with what it set aside.
pub(crate) struct Reading {
    pub(crate) unit: Box<dyn Unit>,
    pub(crate) parked: Parked,
    pub(crate) discarded: Discarded,
}

/// A batch as one unit takes it.
pub(crate) struct Parted {
    pub(crate) events: Vec<Event>,
    pub(crate) letters: Vec<Letter>,
    /// Ids of those that are left out.
    pub(crate) skipped: Vec<Uuid>,
}

/// Which part of an event could not be read, and why.
pub(crate) fn cause(error: &EventError) -> Cause {
    let stage = match error {
        EventError::Stream(_) => "decode-key",
        EventError::UnknownAggregate(_) | EventError::Decode(DecodeError::UnknownType { .. }) => {
            "decode-header"
        }
        EventError::Decode(DecodeError::UnknownRevision { .. }) => "upcast",
        EventError::Decode(DecodeError::Payload { .. }) | EventError::Journal(_) | EventError::Letter(_) => {
            "decode-value"
        }
    };
    Cause { stage, error: cut(error.to_string()), attempts: 1, class: Class::Permanent }
}

/// The text of an error, not longer than it may be.
pub(crate) fn cut(mut error: String) -> String {
    error.truncate(error.floor_char_boundary(MAX_ERROR_BYTES));
    error.replace('\0', "\u{fffd}")
}

impl Letter {
    fn of(projection: &'static str, commit: &Commit, position: Position, cause: Option<Cause>) -> Self {
        let record = &commit.events[usize::from(position.index)];
        let alone = Commit {
            command: commit.command.clone(),
            home: commit.home.clone(),
            tenant: commit.tenant.clone(),
            actor: commit.actor.clone(),
            correlation: commit.correlation.clone(),
            causation: commit.causation.clone(),
            trace: commit.trace.clone(),
            at: commit.at,
            events: vec![record.clone()],
        };
        Self {
            projection,
            stream: record.stream.clone(),
            version: record.version,
            event_id: record.id(),
            kind: record.kind.clone(),
            position,
            event: serde_json::to_string(&alone).expect("a commit that was read is JSON"),
            cause,
        }
    }
}

impl Parked {
    pub(crate) fn new(version: i64, letters: HashMap<Stream, Held>) -> Self {
        Self { letters, version }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Letters of all streams.
    pub(crate) fn len(&self) -> usize {
        self.letters.values().map(|held| held.letters).sum()
    }

    /// Streams of which something is parked.
    pub(crate) fn streams(&self) -> usize {
        self.letters.len()
    }

    /// Since when the stream that waits longest does.
    pub(crate) fn since(&self) -> Option<DateTime<Utc>> {
        self.letters.values().map(|held| held.since).min()
    }

    fn add(&mut self, letters: &[Letter]) {
        for letter in letters {
            let new = || Held { letters: 0, since: Utc::now() };
            self.letters.entry(letter.stream.clone()).or_insert_with(new).letters += 1;
        }
    }

    /// So many letters of a stream are applied.
    pub(crate) fn remove(&mut self, stream: &Stream, applied: usize) {
        self.version += 1;
        if let Some(held) = self.letters.get_mut(stream) {
            held.letters = held.letters.saturating_sub(applied);
            if held.letters == 0 {
                self.letters.remove(stream);
            }
        }
    }
}

impl Reading {
    /// Its own name, which stands for those that are folded from it.
    pub(crate) fn name(&self) -> &'static str {
        self.unit.names()[0]
    }

    /// The version of what is parked, for each of its cursors.
    pub(crate) fn versions(&self) -> impl Iterator<Item = i64> + use<> {
        std::iter::repeat_n(self.parked.version, self.unit.names().len())
    }

    /// Whether events of the stream wait.
    pub(crate) fn holds(&self, stream: &Stream) -> bool {
        self.parked.letters.contains_key(stream)
    }

    /// What of a batch is applied and what is parked; `None` when all of it is applied.
    ///
    /// # Errors
    /// [`Failure::Overflow`]: nothing is dropped and nothing passes.
    pub(crate) fn part(
        &self,
        events: &[Event],
        poison: &[Poison],
        limits: Limits,
    ) -> Result<Option<Parted>, Failure> {
        let reads = |poison: &&Poison| {
            let record = &poison.commit.events[usize::from(poison.position.index)];
            let own = |name| name == self.name();
            poison.projection.map_or_else(|| self.unit.reads(record.stream.aggregate_type()), own)
        };
        if self.parked.is_empty() && self.discarded.is_empty() && !poison.iter().any(|poison| reads(&poison))
        {
            return Ok(None);
        }
        let mut parting = Parting {
            reading: self,
            limits,
            held: HashMap::new(),
            streams: 0,
            letters: Vec::new(),
            skipped: Vec::new(),
        };
        let mut applied = Vec::with_capacity(events.len());
        let mut poison = poison.iter().filter(reads).peekable();
        for event in events {
            while let Some(poison) = poison.next_if(|poison| poison.position < event.position()) {
                parting.park(&poison.commit, poison.position, Some(&poison.cause))?;
            }
            if let Some(poison) = poison.next_if(|poison| poison.position == event.position()) {
                parting.park(&poison.commit, poison.position, Some(&poison.cause))?;
            } else if parting.holds(&event.record().stream) {
                parting.park(event.commit(), event.position(), None)?;
            } else if self.discarded.contains(&event.record().stream, event.record().version) {
                parting.skipped.push(event.id());
            } else {
                applied.push(self.discarded.link(event.clone()));
            }
        }
        for poison in poison {
            parting.park(&poison.commit, poison.position, Some(&poison.cause))?;
        }
        Ok(Some(Parted { events: applied, letters: parting.letters, skipped: parting.skipped }))
    }

    /// What was parted is on its way into the store.
    pub(crate) fn park(&mut self, letters: &[Letter]) {
        self.parked.add(letters);
    }
}

struct Parting<'a> {
    reading: &'a Reading,
    limits: Limits,
    /// Letters of this batch by stream.
    held: HashMap<Stream, usize>,
    /// Streams of which there was none before.
    streams: usize,
    letters: Vec<Letter>,
    skipped: Vec<Uuid>,
}

impl Parting<'_> {
    fn holds(&self, stream: &Stream) -> bool {
        self.reading.holds(stream) || self.held.contains_key(stream)
    }

    /// What waits behind a letter was not tried: it has no cause.
    fn park(&mut self, commit: &Commit, position: Position, cause: Option<&Cause>) -> Result<(), Failure> {
        let record = &commit.events[usize::from(position.index)];
        let stream = &record.stream;
        if !self.holds(stream) && self.reading.discarded.contains(stream, record.version) {
            self.skipped.push(record.id());
            return Ok(());
        }
        let (held, before) = (self.holds(stream), &self.reading.parked.letters);
        self.streams += usize::from(!held);
        let new = self.held.entry(stream.clone()).or_default();
        *new += 1;
        let letters = *new + before.get(stream).map_or(0, |held| held.letters);
        let projection = self.reading.name();
        if letters > self.limits.letters || before.len() + self.streams > self.limits.streams {
            let (stream, offset) = (stream.clone(), position.offset);
            return Err(Failure::Overflow { projection, stream, offset, limits: self.limits });
        }
        let cause = if held { None } else { cause.cloned() };
        self.letters.push(Letter::of(projection, commit, position, cause));
        Ok(())
    }
}
