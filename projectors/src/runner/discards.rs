//! Events that somebody gave up for a projection: it goes on as if they had not happened.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use schemas::dead_letter::DeadLetterEvent;
use schemas::ids::Stream;
use uuid::Uuid;

use crate::event::{Body, Event};

/// A decision, as the log has it.
#[derive(Debug, Clone)]
pub(crate) struct Discard {
    pub(crate) tenant: String,
    /// Id of the letter.
    pub(crate) id: Uuid,
    pub(crate) projection: String,
    /// Id of the event that records it.
    pub(crate) event_id: Uuid,
    /// Who decided, `kind/id`.
    pub(crate) actor: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) reason: String,
}

impl Discard {
    /// The decision that an event records.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let Body::DeadLetter(DeadLetterEvent::DeadLetterDiscarded(discarded)) = event.body() else {
            return None;
        };
        Some(Self {
            tenant: event.tenant().to_string(),
            id: event.aggregate_id(),
            projection: discarded.projection.clone(),
            event_id: event.id(),
            actor: event.actor(),
            at: event.at(),
            reason: discarded.reason.clone(),
        })
    }
}

/// What one projection leaves out.
#[derive(Debug, Default)]
pub(crate) struct Discarded(HashMap<Stream, BTreeSet<u64>>);

impl Discarded {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn insert(&mut self, stream: Stream, version: u64) {
        self.0.entry(stream).or_default().insert(version);
    }

    pub(crate) fn contains(&self, stream: &Stream, version: u64) -> bool {
        self.0.get(stream).is_some_and(|versions| versions.contains(&version))
    }

    /// The event as it follows the last one of its stream that is not left out. Without the first one there
    /// is no row, and nothing that the others could miss.
    pub(crate) fn link(&self, event: Event) -> Event {
        let record = event.record();
        let Some(versions) = self.0.get(&record.stream) else { return event };
        let begins = !versions.contains(&1);
        let before = (1..record.version).rev().find(|version| begins && !versions.contains(version));
        event.following(before.map_or(0, |version| i64::try_from(version).unwrap_or(i64::MAX)))
    }
}
