//! The states of a shard's streams: what is proven, and over it what was decided and is not proven yet.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemas::ids::Stream;

use super::deadlines::Deadlines;
use super::dispatch::{Dispatch, Place};
use super::generations::Generations;
use super::receipts::Fact;
use super::spill::Marks;
use crate::aggregates::registry::{self, AnyEvent, State};

/// One stream at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// State of the aggregate.
    pub state: State,
    /// Version of its last event.
    pub version: u64,
    /// Offset of the commit with that event.
    pub offset: u64,
    /// Correlation id of that commit, kept while something is due: the command that is then issued
    /// belongs to the same chain.
    pub correlation: Option<Arc<str>>,
    due: Option<DateTime<Utc>>,
    place: Option<Place>,
}

/// A commit as it changes streams.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Its events, in order.
    pub facts: &'a [Fact],
    /// Its offset, or the one at which it must land.
    pub offset: u64,
    /// Its correlation id.
    pub correlation: &'a str,
}

impl Entry {
    /// An entry as it stands in a checkpoint.
    #[must_use]
    pub fn new(stream: &Stream, state: State, version: u64, offset: u64, correlation: Option<&str>) -> Self {
        let correlation = correlation.map(Arc::from);
        let entry = Self { state, version, offset, correlation, due: None, place: None };
        entry.placed(stream)
    }

    fn placed(mut self, stream: &Stream) -> Self {
        self.due = self.state.deadline().map(|(at, _)| at);
        self.place = match &self.state {
            State::Task(task) => task.ready().and_then(|r| Place::of(stream.tenant(), r, self.offset)),
            _ => None,
        };
        self
    }

    /// The instant at which something is due.
    #[must_use]
    pub fn due(&self) -> Option<DateTime<Utc>> {
        self.due
    }

    /// Where it waits, if it is a task that waits.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The entry after the facts of `change` that belong to `stream`.
    fn after(before: Option<Self>, stream: &Stream, change: Change<'_>) -> Option<Self> {
        let mut version = before.as_ref().map_or(0, |entry| entry.version);
        let mut kept = before.as_ref().and_then(|entry| entry.correlation.clone());
        let mut state = before.map(|entry| entry.state);
        for fact in change.facts.iter().filter(|fact| fact.stream == *stream) {
            state = registry::evolve(state, &fact.event);
            version = fact.version;
        }
        let state = state?;
        if kept.as_deref() != Some(change.correlation) {
            kept = Some(change.correlation.into());
        }
        let mut entry =
            Self { state, version, offset: change.offset, correlation: None, due: None, place: None }
                .placed(stream);
        entry.correlation = entry.due.and(kept);
        Some(entry)
    }
}

#[derive(Debug)]
struct Unproven {
    entry: Entry,
    /// Sequence of the last record that changed it.
    seq: u64,
}

/// Every stream in memory. Dispatch and deadlines follow what was decided last.
#[derive(Debug, Default)]
pub struct Streams {
    proven: Generations<Stream, Arc<Entry>>,
    /// What was proven since the last checkpoint.
    changed: HashMap<Stream, Arc<Entry>>,
    /// Whether a store takes those changes.
    pub(super) saves: bool,
    unproven: HashMap<Stream, Unproven>,
    /// Tasks that wait, as decided.
    pub dispatch: Dispatch,
    /// What is due, as decided.
    pub deadlines: Deadlines,
    /// Leases granted on a task that was leased already. Must stay 0.
    pub claim_conflicts: u64,
}

impl Streams {
    /// The stream as decided.
    #[must_use]
    pub fn current(&self, stream: &Stream) -> Option<&Entry> {
        match self.unproven.get(stream) {
            Some(unproven) => Some(&unproven.entry),
            None => self.proven(stream),
        }
    }

    /// The stream as proven.
    #[must_use]
    pub fn proven(&self, stream: &Stream) -> Option<&Entry> {
        self.proven.get(stream).map(Arc::as_ref)
    }

    /// Whether something of the stream is decided and not proven.
    #[must_use]
    pub fn is_ahead(&self, stream: &Stream) -> bool {
        self.unproven.contains_key(stream)
    }

    /// Number of proven streams in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.proven.len()
    }

    /// Whether no stream is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.proven.len() == 0 && self.unproven.is_empty()
    }

    /// Applies a commit that was decided as the record with sequence `seq`.
    pub fn decide(&mut self, seq: u64, change: Change<'_>) {
        for stream in streams_of(change.facts) {
            let before = match self.unproven.remove(stream) {
                Some(unproven) => Some(unproven.entry),
                None => self.proven(stream).cloned(),
            };
            if let Some(entry) = self.changed_by(before, stream, change) {
                self.unproven.insert(stream.clone(), Unproven { entry, seq });
            }
        }
    }

    /// The commit decided as `seq` is proven.
    pub fn prove(&mut self, seq: u64, change: Change<'_>) {
        for stream in streams_of(change.facts) {
            if self.unproven.get(stream).is_some_and(|unproven| unproven.seq == seq) {
                if let Some(unproven) = self.unproven.remove(stream) {
                    self.keep(stream, unproven.entry);
                }
            } else {
                let before = self.proven.remove(stream).map(Arc::unwrap_or_clone);
                if let Some(entry) = Entry::after(before, stream, change) {
                    self.keep(stream, entry);
                }
            }
        }
    }

    /// Applies a commit of the log. Nothing may be unproven.
    pub fn replay(&mut self, change: Change<'_>) {
        for stream in streams_of(change.facts) {
            let before = self.proven.remove(stream).map(Arc::unwrap_or_clone);
            if let Some(entry) = self.changed_by(before, stream, change) {
                self.keep(stream, entry);
            }
        }
    }

    /// The entry after `change`, put to its places; most changes leave a stream where it stands.
    fn changed_by(&mut self, before: Option<Entry>, stream: &Stream, change: Change<'_>) -> Option<Entry> {
        self.note_conflict(before.as_ref(), stream, change);
        let stood = before.as_ref().map(marks);
        let entry = Entry::after(before, stream, change)?;
        if stood.as_ref().is_none_or(|stood| *stood != marks(&entry)) {
            self.unplace(stream, stood);
            place(&mut self.dispatch, &mut self.deadlines, stream, &entry);
        }
        Some(entry)
    }

    fn keep(&mut self, stream: &Stream, entry: Entry) {
        let entry = Arc::new(entry);
        if self.saves {
            self.changed.insert(stream.clone(), Arc::clone(&entry));
        }
        self.proven.insert(stream.clone(), entry);
    }

    /// Puts a stream that is in the store to its places, without its state.
    pub(super) fn mark(&mut self, stream: &Stream, marks: &Marks) {
        if let Some(at) = marks.due {
            self.deadlines.insert(stream, at);
        }
        if let Some(place) = &marks.place {
            self.dispatch.insert(stream, place);
        }
    }

    /// Takes a stream as it stands in the store; its places are taken already.
    pub(super) fn load(&mut self, stream: Stream, entry: Entry) {
        if !self.proven.contains(&stream) {
            self.proven.insert(stream, Arc::new(entry));
        }
    }

    /// Streams whose proven state no checkpoint holds.
    pub(super) fn unsaved(&self) -> usize {
        self.changed.len()
    }

    /// The streams whose proven state no checkpoint holds; they count as saved from now on.
    pub(super) fn take_changed(&mut self) -> HashMap<Stream, Arc<Entry>> {
        std::mem::take(&mut self.changed)
    }

    /// What [`take_changed`](Self::take_changed) took and no checkpoint holds; what changed since is newer.
    pub(super) fn changed_again(&mut self, taken: HashMap<Stream, Arc<Entry>>) {
        let newer = std::mem::replace(&mut self.changed, taken);
        self.changed.extend(newer);
    }

    /// Gives away the states that were not used for long. What changed since the last checkpoint stays, and
    /// what something unproven stands on.
    pub(super) fn rotate(&mut self, limit: usize) -> HashMap<Stream, Arc<Entry>> {
        let keep = self.unproven.keys().chain(self.changed.keys());
        self.proven.rotate(limit, keep)
    }

    /// Forgets everything that is not proven.
    pub fn forget_unproven(&mut self) {
        for (stream, Unproven { entry, .. }) in std::mem::take(&mut self.unproven) {
            self.unplace(&stream, Some(marks(&entry)));
            if let Some(entry) = self.proven.get(&stream) {
                place(&mut self.dispatch, &mut self.deadlines, &stream, entry);
            }
        }
    }

    /// The first stream, if any, that is proven here and not, or not equally, there.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let differs = |(stream, entry): (&Stream, &Arc<Entry>)| match other.proven.get(stream) {
            Some(theirs) if theirs == entry => None,
            theirs => Some(format!("{stream}: {entry:?} here, {theirs:?} there")),
        };
        self.proven.iter().filter_map(differs).min()
    }

    fn unplace(&mut self, stream: &Stream, marks: Option<(Option<DateTime<Utc>>, Option<Place>)>) {
        let Some((due, place)) = marks else { return };
        if let Some(at) = due {
            self.deadlines.remove(stream, at);
        }
        if let Some(place) = place {
            self.dispatch.remove(stream, &place);
        }
    }

    fn note_conflict(&mut self, before: Option<&Entry>, stream: &Stream, change: Change<'_>) {
        let leased = |entry: &Entry| match &entry.state {
            State::Task(task) => task.lease_view().is_some(),
            _ => false,
        };
        let assigned = |fact: &&Fact| {
            fact.stream == *stream
                && matches!(fact.event, AnyEvent::Task(schemas::task::TaskEvent::TaskAssigned(_)))
        };
        let granted = change.facts.iter().filter(assigned).count();
        if granted > 0 && (granted > 1 || before.is_some_and(leased)) {
            self.claim_conflicts += 1;
        }
    }
}

fn marks(entry: &Entry) -> (Option<DateTime<Utc>>, Option<Place>) {
    (entry.due, entry.place.clone())
}

fn place(dispatch: &mut Dispatch, deadlines: &mut Deadlines, stream: &Stream, entry: &Entry) {
    if let Some(at) = entry.due {
        deadlines.insert(stream, at);
    }
    if let Some(place) = &entry.place {
        dispatch.insert(stream, place);
    }
}

/// The streams of a commit, each once, in the order of their first event.
pub(super) fn streams_of(facts: &[Fact]) -> impl Iterator<Item = &Stream> {
    facts.iter().enumerate().filter_map(|(index, fact)| {
        let first = !facts[..index].iter().any(|earlier| earlier.stream == fact.stream);
        first.then_some(&fact.stream)
    })
}
