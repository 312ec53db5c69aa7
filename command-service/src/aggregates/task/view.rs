//! What the shard reads of a task: its place in the queue and its lease.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::state::{Life, Task};

/// A task that waits for a worker, as dispatch orders it (M-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready<'a> {
    /// Queue.
    pub queue: &'a str,
    /// Urgency, 1 (low) to 4 (critical).
    pub rank: i16,
    /// Waiting time in milliseconds that raises the rank by one; 0 = never.
    pub ageing_ms: u32,
    /// Since when it waits.
    pub enqueued_at: DateTime<Utc>,
}

/// The live lease of a task, with what the worker needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeaseView<'a> {
    /// Who works.
    pub worker: &'a str,
    /// Id of the lease.
    pub lease_id: Uuid,
    /// Token that every command of the holder carries.
    pub fencing_token: u32,
    /// 1-based attempt.
    pub attempt: u32,
    /// The lease runs to this instant.
    pub lease_expires_at: DateTime<Utc>,
    /// Length of the lease in milliseconds.
    pub lease_ms: u32,
    /// Queue.
    pub queue: &'a str,
    /// Kind of work.
    pub kind: &'a str,
    /// Title for people.
    pub title: &'a str,
    /// Input for the worker.
    pub payload: &'a Map<String, Value>,
}

impl Task {
    /// Its place in the queue while it waits there.
    #[must_use]
    pub fn ready(&self) -> Option<Ready<'_>> {
        let Life::Queued(queued) = &self.life else { return None };
        Some(Ready {
            queue: &queued.work.queue,
            rank: queued.work.priority.rank(),
            ageing_ms: queued.work.policy.ageing_ms,
            enqueued_at: queued.enqueued_at,
        })
    }

    /// Its live lease.
    #[must_use]
    pub fn lease_view(&self) -> Option<LeaseView<'_>> {
        let (lease, work) = (self.life.lease()?, self.life.open_work()?);
        Some(LeaseView {
            worker: &lease.worker,
            lease_id: lease.id,
            fencing_token: lease.token,
            attempt: lease.attempt,
            lease_expires_at: lease.expires_at,
            lease_ms: work.policy.lease_ms,
            queue: &work.queue,
            kind: &work.kind,
            title: &work.title.0,
            payload: &work.payload,
        })
    }

    /// The instant to which its lease runs.
    #[must_use]
    pub fn lease_until(&self) -> Option<DateTime<Utc>> {
        self.life.lease().map(|lease| lease.expires_at)
    }

    /// The end of its grace, while it runs and somebody wants it cancelled.
    #[must_use]
    pub fn grace_until(&self) -> Option<DateTime<Utc>> {
        match &self.life {
            Life::Running(running) => running.cancel.as_ref().map(|cancel| cancel.grace_until),
            _ => None,
        }
    }
}
