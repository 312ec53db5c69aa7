//! The part of the state that is not in memory: what a step needs of the store, and what the store
//! must keep.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_log::{Content, Cursor};
use schemas::ids::Stream;

use super::claim::claim_of;
use super::dispatch::Place;
use super::io::{Asked, Input};
use super::receipts::{CommandKey, Known, Outcome, Receipt};
use super::streams::Entry;
use super::{Phase, Settings, Shard, limits};
use crate::command::Submission;

/// What a step needs of the store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Streams.
    pub streams: Vec<Stream>,
    /// Command ids.
    pub commands: Vec<CommandKey>,
}

impl Needs {
    /// Whether the step can be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.commands.is_empty()
    }
}

/// What the store has of that; none where it has nothing.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Streams.
    pub streams: Vec<(Stream, Option<Entry>)>,
    /// Command ids.
    pub commands: Vec<(CommandKey, Option<Receipt>)>,
}

/// What the store does not have, until the step that asked is made.
#[derive(Debug, Default)]
pub(super) struct Absent {
    streams: HashSet<Stream>,
    commands: HashSet<CommandKey>,
}

/// Everything proven that changed since the last checkpoint, as of one place in the log.
#[derive(Debug)]
pub struct Checkpoint {
    /// That place.
    pub cursor: Cursor,
    /// Shard time there.
    pub at: DateTime<Utc>,
    /// Changed streams.
    pub streams: HashMap<Stream, Arc<Entry>>,
    /// New command ids.
    pub commands: Vec<(CommandKey, Receipt)>,
}

/// What left the memory. Dropping it takes milliseconds: not on a thread that answers.
#[derive(Debug)]
#[must_use]
pub struct Retired {
    _streams: HashMap<Stream, Arc<Entry>>,
    _commands: HashMap<CommandKey, Receipt>,
}

/// Where a stream stands in dispatch and deadlines: what of it stays in memory in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The instant at which something is due.
    pub due: Option<DateTime<Utc>>,
    /// Where it waits.
    pub place: Option<Place>,
}

impl Shard {
    /// A shard over a store that stands at `cursor`.
    #[must_use]
    pub fn restored(
        settings: Settings,
        cursor: Cursor,
        at: DateTime<Utc>,
        marks: impl Iterator<Item = (Stream, Marks)>,
    ) -> Self {
        let mut shard = Self::new(settings, cursor);
        shard.spills = true;
        (shard.streams.saves, shard.receipts.saves) = (true, true);
        shard.advance(at);
        for (stream, marks) in marks {
            shard.streams.mark(&stream, &marks);
        }
        shard
    }

    /// What must be loaded before [`Shard::step`] is given `input` at `at`. To be asked again after
    /// every [`Input::Loaded`], until nothing is needed.
    #[must_use]
    pub fn needs(&self, at: DateTime<Utc>, input: &Input) -> Needs {
        let mut needs = Needs::default();
        if !self.spills {
            return needs;
        }
        match input {
            Input::Counted(record) => {
                if let Content::Commit(commit) = &record.content {
                    for event in &commit.events {
                        self.need_stream(&mut needs, &event.stream);
                    }
                }
            }
            Input::Command(Asked { key, submission, .. }) => self.need(&mut needs, at, *key, submission),
            // Who does not own the shard decides nothing at a flush.
            Input::Flush if matches!(self.phase, Phase::Owner(_)) => {
                for pending in &self.waiting {
                    self.need(&mut needs, at, pending.key, &pending.submission);
                }
                for stream in self.streams.deadlines.due_until(at, limits::MAX_DUE_PER_TICK) {
                    self.need_stream(&mut needs, stream);
                }
            }
            _ => {}
        }
        needs
    }

    fn need(&self, needs: &mut Needs, at: DateTime<Utc>, key: CommandKey, submission: &Submission) {
        let home = &submission.home;
        match self.receipts.find(key) {
            Some(Known::Proven(Receipt { outcome: Outcome::Many(many), .. })) => {
                for (stream, _) in &many.leases {
                    self.need_stream(needs, stream);
                }
            }
            Some(_) => {}
            None if !self.absent.commands.contains(&key) => needs.commands.push(key),
            None => {}
        }
        match claim_of(submission) {
            Some(claim) => {
                let max = usize::try_from(claim.max).unwrap_or(usize::MAX);
                for task in self.streams.dispatch.pick(home, at, max) {
                    self.need_stream(needs, &task);
                }
            }
            None => self.need_stream(needs, home),
        }
    }

    fn need_stream(&self, needs: &mut Needs, stream: &Stream) {
        let known = self.streams.current(stream).is_some() || self.absent.streams.contains(stream);
        if !known && !needs.streams.contains(stream) {
            needs.streams.push(stream.clone());
        }
    }

    /// Takes what the store has.
    pub(super) fn loaded(&mut self, loaded: Loaded) {
        for (stream, entry) in loaded.streams {
            match entry {
                Some(entry) => self.streams.load(stream, entry),
                None => drop(self.absent.streams.insert(stream)),
            }
        }
        for (key, receipt) in loaded.commands {
            match receipt {
                Some(receipt) => self.receipts.load(key, receipt),
                None => drop(self.absent.commands.insert(key)),
            }
        }
    }

    /// Changed streams and new command ids that no checkpoint holds.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.streams.unsaved() + self.receipts.unsaved()
    }

    /// Takes everything proven that changed since the last checkpoint. Until [`Shard::saved`] or
    /// [`Shard::not_saved`] it stays in memory, and no other checkpoint may be taken.
    pub fn checkpoint(&mut self) -> Checkpoint {
        let (streams, commands) = (self.streams.take_changed(), self.receipts.take_new());
        Checkpoint { cursor: self.cursor, at: self.now, streams, commands }
    }

    /// The last checkpoint is in the store: what was not used for long may leave the memory.
    pub fn saved(&mut self) -> Retired {
        let streams = self.streams.rotate(self.settings.memory.streams);
        let commands = self.receipts.rotate(self.settings.memory.commands);
        Retired { _streams: streams, _commands: commands }
    }

    /// The last checkpoint could not be written, as far as anyone knows: the next one takes everything
    /// of it again, as it is then, so that the store never has a hole.
    pub fn not_saved(&mut self, checkpoint: Checkpoint) {
        self.streams.changed_again(checkpoint.streams);
        self.receipts.new_again(checkpoint.commands);
    }
}
