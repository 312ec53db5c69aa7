//! The next deadline of every stream that has one, earliest first.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemas::ids::Stream;

/// All there is to timers: which stream is due next.
#[derive(Debug, Default)]
pub struct Deadlines {
    order: BTreeSet<(DateTime<Utc>, Stream)>,
}

impl Deadlines {
    /// Notes a stream's deadline.
    pub fn insert(&mut self, stream: &Stream, at: DateTime<Utc>) {
        self.order.insert((at, stream.clone()));
    }

    /// Forgets a stream's deadline.
    pub fn remove(&mut self, stream: &Stream, at: DateTime<Utc>) {
        self.order.remove(&(at, stream.clone()));
    }

    /// The earliest deadline that has come at `now`.
    #[must_use]
    pub fn due(&self, now: DateTime<Utc>) -> Option<&(DateTime<Utc>, Stream)> {
        self.order.first().filter(|(at, _)| *at <= now)
    }

    /// The streams, at most `max`, whose deadlines have come at `now`, earliest first.
    pub fn due_until(&self, now: DateTime<Utc>, max: usize) -> impl Iterator<Item = &Stream> {
        self.order.iter().take_while(move |(at, _)| *at <= now).take(max).map(|(_, stream)| stream)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Streams that have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no stream has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
