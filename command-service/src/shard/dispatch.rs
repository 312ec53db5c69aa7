//! The tasks that wait in each queue, in the order in which they are handed out.
//!
//! A task's rank rises by one for every `ageing_ms` that it waits. Between tasks of one ageing the
//! order therefore never changes: `enqueued − rank × ageing` decides, then the time of enqueueing,
//! then the place in the log. Only the heads of the few ageings of a queue are compared at a claim.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use schemas::ids::{Stream, Tenant};
use serde::{Deserialize, Serialize};

use crate::aggregates::task::Ready;

/// The aggregate type in the home stream of a claim; such a stream has no events.
pub const QUEUE: &str = "queue";

/// The home stream of a claim on `queue`. `None` for a name that no stream may have.
#[must_use]
pub fn queue_stream(tenant: &str, queue: &str) -> Option<Stream> {
    Stream::new(&Tenant::new(tenant).ok()?, QUEUE, queue).ok()
}

/// Place of a task among those of its queue and ageing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Order {
    /// `enqueued − rank × ageing` in milliseconds, or `−rank` where nothing ages.
    key: i64,
    /// When it was enqueued, milliseconds.
    enqueued: i64,
    /// Offset of the commit that changed the task last: the order within one millisecond.
    offset: u64,
}

/// Where a waiting task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    queue: Stream,
    ageing: u32,
    rank: i16,
    order: Order,
}

impl Place {
    /// The place of a task of `tenant` whose last commit stands at `offset`.
    #[must_use]
    pub fn of(tenant: &str, ready: Ready<'_>, offset: u64) -> Option<Self> {
        let queue = queue_stream(tenant, ready.queue)?;
        let (ageing, enqueued) = (two_digits(ready.ageing_ms), ready.enqueued_at.timestamp_millis());
        let key = match ageing {
            0 => -i64::from(ready.rank),
            ageing => enqueued - i64::from(ready.rank) * i64::from(ageing),
        };
        Some(Self { queue, ageing, rank: ready.rank, order: Order { key, enqueued, offset } })
    }

    /// `tenant/queue/<name>`.
    #[must_use]
    pub fn queue(&self) -> &Stream {
        &self.queue
    }
}

/// The first two significant digits, the rest zero: an ageing of 61,234 ms counts as one of 61,000 ms,
/// so that a queue has at most some 600 different ones, whatever its tasks say.
fn two_digits(ageing_ms: u32) -> u32 {
    let mut unit = 1;
    while ageing_ms / unit >= 100 {
        unit *= 10;
    }
    ageing_ms / unit * unit
}

#[derive(Debug, Default)]
struct Queue {
    by_ageing: BTreeMap<u32, BTreeSet<(Order, Stream)>>,
    tasks: usize,
}

/// What a task weighs at one instant; the greatest is handed out first.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Weight {
    rank: f64,
    order: Order,
}

impl Queue {
    /// The `max` tasks that weigh most at `now`: a merge of the orders of its ageings.
    fn first(&self, now: i64, max: usize) -> Vec<Stream> {
        let mut heads: Vec<_> =
            self.by_ageing.iter().map(|(ageing, t)| (*ageing, t.iter().peekable())).collect();
        let mut picked = Vec::with_capacity(max.min(self.tasks));
        while picked.len() < max {
            let mut best: Option<(Weight, usize)> = None;
            for (index, (ageing, tasks)) in heads.iter_mut().enumerate() {
                let Some((order, _)) = tasks.peek() else { continue };
                let weight = Weight { rank: effective_rank(now, *ageing, *order), order: *order };
                if best.is_none_or(|(other, _)| before(weight, other)) {
                    best = Some((weight, index));
                }
            }
            let Some((_, task)) = best.and_then(|(_, index)| heads[index].1.next()) else { break };
            picked.push(task.clone());
        }
        picked
    }
}

fn before(one: Weight, other: Weight) -> bool {
    let age = |weight: Weight| (weight.order.enqueued, weight.order.offset);
    one.rank > other.rank || (one.rank == other.rank && age(one) < age(other))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some thousand years fit a double exactly")]
fn effective_rank(now: i64, ageing: u32, order: Order) -> f64 {
    if ageing == 0 { -order.key as f64 } else { (now - order.key) as f64 / f64::from(ageing) }
}

/// Every queue of a shard.
#[derive(Debug, Default)]
pub struct Dispatch {
    queues: HashMap<Stream, Queue>,
}

impl Dispatch {
    /// Puts a task at its place.
    pub fn insert(&mut self, task: &Stream, place: &Place) {
        let queue = self.queues.entry(place.queue.clone()).or_default();
        let added = queue.by_ageing.entry(place.ageing).or_default().insert((place.order, task.clone()));
        queue.tasks += usize::from(added);
    }

    /// Takes a task from its place.
    pub fn remove(&mut self, task: &Stream, place: &Place) {
        let Some(queue) = self.queues.get_mut(&place.queue) else { return };
        if let Some(tasks) = queue.by_ageing.get_mut(&place.ageing) {
            queue.tasks -= usize::from(tasks.remove(&(place.order, task.clone())));
            if tasks.is_empty() {
                queue.by_ageing.remove(&place.ageing);
            }
        }
        if queue.tasks == 0 {
            self.queues.remove(&place.queue);
        }
    }

    /// The `max` tasks of `queue` that are handed out next, in that order; they stay where they are.
    #[must_use]
    pub fn pick(&self, queue: &Stream, now: DateTime<Utc>, max: usize) -> Vec<Stream> {
        self.queues.get(queue).map_or_else(Vec::new, |queue| queue.first(now.timestamp_millis(), max))
    }

    /// Tasks that wait in `queue`.
    #[must_use]
    pub fn waiting(&self, queue: &Stream) -> usize {
        self.queues.get(queue).map_or(0, |queue| queue.tasks)
    }
}
