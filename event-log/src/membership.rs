//! Which shards a process should own: a hint, never a right. Two processes that both believe it harm
//! nothing, because only a claim that counts makes an owner (log.md §4).

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::handle::Log;
use crate::kafka::Group;
use crate::source::Source;

/// Whether a process should own a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Another one should, or nobody knows yet. What is under way ends in order.
    Away,
    /// Another one should, and may do so already: nothing under way will be confirmed.
    Lost,
    /// This one should.
    Assigned,
}

/// This process among those that share the work on one log. Log files and memory have one process, which
/// should own every shard. On Kafka it is a member of a consumer group of the log's topic, once it
/// [joined](Self::join).
#[derive(Debug)]
pub struct Membership {
    shared: Arc<Shared>,
    group: Option<Group>,
}

/// What the members' thread tells, and what it waits for.
#[derive(Debug)]
pub(crate) struct Shared {
    hints: Vec<watch::Sender<Hint>>,
    held: Mutex<BTreeSet<u16>>,
    released: Condvar,
}

impl Log {
    /// This process among those that share the work; not [joined](Membership::join) yet.
    #[must_use]
    pub fn membership(&self) -> Membership {
        let kafka = if let Source::Kafka(kafka) = &self.source { Some(kafka) } else { None };
        let first = if kafka.is_some() { Hint::Away } else { Hint::Assigned };
        let hints = (0..self.genesis().shards).map(|_| watch::Sender::new(first)).collect();
        let shared = Arc::new(Shared { hints, held: Mutex::default(), released: Condvar::new() });
        let group = kafka.map(|kafka| Group::new(kafka.options(), Arc::clone(&shared)));
        Membership { shared, group }
    }
}

impl Membership {
    /// What is said of `shard`, and every change of it.
    ///
    /// # Panics
    /// When the log has no such shard.
    #[must_use]
    pub fn hint(&self, shard: u16) -> watch::Receiver<Hint> {
        self.shared.hints[usize::from(shard)].subscribe()
    }

    /// Says whether this process owns `shard` or is about to. While it does, a shard that shall go to another
    /// process waits for it, for at most 2 s.
    pub fn hold(&self, shard: u16, held: bool) {
        let mut all = self.shared.held();
        if held {
            all.insert(shard);
        } else if all.remove(&shard) {
            self.shared.released.notify_all();
        }
    }

    /// Whether this process owns a shard, or is about to.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        !self.shared.held().is_empty()
    }

    /// Takes part from now on. Only a process that has read the log nearly to its end should.
    pub fn join(&self) {
        if let Some(group) = &self.group {
            group.join();
        }
    }

    /// Leaves, so that others take over at once; tells whether there are others. It may join again.
    pub async fn leave(&self) -> bool {
        match &self.group {
            Some(group) => group.leave().await,
            None => false,
        }
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        // Every change is one call, so a panic elsewhere leaves the set whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `hint` of `shards`.
    pub(crate) fn tell(&self, shards: &[u16], hint: Hint) {
        for sender in shards.iter().filter_map(|shard| self.hints.get(usize::from(*shard))) {
            sender.send_replace(hint);
        }
    }

    /// Waits until none of `shards` is held; blocks for at most `longest`.
    pub(crate) fn await_released(&self, shards: &[u16], longest: Duration) {
        let holding = |held: &mut BTreeSet<u16>| shards.iter().any(|shard| held.contains(shard));
        let waited = self.released.wait_timeout_while(self.held(), longest, holding);
        if waited.is_ok_and(|(_, waited)| waited.timed_out()) {
            tracing::warn!(?shards, "shards go to another process before what was under way is confirmed");
        }
    }
}
