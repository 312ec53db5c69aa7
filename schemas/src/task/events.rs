//! Payloads of the task events: `snake_case`, every field described, instants absolute.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::policy::{Priority, TaskPolicy};
use crate::commit::millis;
use crate::ids::AggregateId;
use crate::text::Personal;

/// Where a task failed (the stages of M-12 that a task can meet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The worker reported it.
    Execute,
    /// A lease or the deadline ran out.
    Timeout,
    /// Undoing it failed.
    Compensate,
}

/// Why a task was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueuedBecause {
    /// It was created ready.
    Created,
    /// It was enqueued by hand or by a process manager.
    Enqueued,
    /// Its `run_at` came.
    RunAtDue,
    /// Its wait after a failed attempt is over.
    RetryDue,
    /// The lease holder gave it back.
    Released,
    /// The lease ran out before the work began.
    LeaseExpired,
    /// It was redriven from the dead letters.
    Redriven,
}

/// A task exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCreated {
    /// Queue that hands the task out.
    pub queue: String,
    /// What kind of work it is.
    pub kind: String,
    /// Short title for people.
    pub title: Personal,
    /// Longer description for people.
    pub description: Option<Personal>,
    /// Urgency inside the queue.
    pub priority: Priority,
    /// Input for the worker.
    pub payload: Map<String, Value>,
    /// Capabilities that a worker needs.
    pub requirements: Vec<String>,
    /// Task that this one is a part of.
    pub parent_id: Option<AggregateId>,
    /// Tasks that must succeed first.
    pub depends_on: Vec<AggregateId>,
    /// Whether the task waits to be enqueued.
    pub hold: bool,
    /// Not before this instant.
    #[serde(default, with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub run_at: Option<DateTime<Utc>>,
    /// The task times out at this instant.
    #[serde(default, with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub deadline: Option<DateTime<Utc>>,
    /// Leases, attempts, waits, complete.
    pub policy: TaskPolicy,
    /// Free labels.
    pub metadata: BTreeMap<String, String>,
}

/// A task was changed before anyone held it; absent fields stayed as they were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskUpdated {
    /// New title.
    pub title: Option<Personal>,
    /// New description.
    pub description: Option<Personal>,
    /// New urgency.
    pub priority: Option<Priority>,
    /// New input for the worker.
    pub payload: Option<Map<String, Value>>,
}

/// A held task is held no more; it is queued when its `run_at` comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldLifted {}

/// A task waits in its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskQueued {
    /// Why.
    pub because: QueuedBecause,
    /// Since when it waits; ageing counts from here.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub enqueued_at: DateTime<Utc>,
}

/// A worker holds the task under a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskAssigned {
    /// Who works.
    pub worker: String,
    /// Id of the lease.
    pub lease_id: Uuid,
    /// Rises with every lease of the task; a stale one is refused.
    pub fencing_token: u32,
    /// 1-based attempt since creation or redrive.
    pub attempt: u32,
    /// The lease runs to this instant.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub lease_expires_at: DateTime<Utc>,
}

/// The lease holder began to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskStarted {
    /// Token of the lease.
    pub fencing_token: u32,
}

/// The lease holder got further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskProgressed {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Percent done; higher than before.
    pub progress: u8,
    /// What is being done.
    pub note: Option<Personal>,
    /// When the worker expects to be done.
    #[serde(default, with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub estimated_completion: Option<DateTime<Utc>>,
}

/// The lease runs longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseRenewed {
    /// Token of the lease.
    pub fencing_token: u32,
    /// The lease now runs to this instant.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub lease_expires_at: DateTime<Utc>,
}

/// The lease ran out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseExpired {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Who held it.
    pub worker: String,
}

/// The lease holder gave the task back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskReleased {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Why.
    pub reason: Option<Personal>,
}

/// An attempt failed; the task waits for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryScheduled {
    /// Attempt that failed.
    pub attempt: u32,
    /// Where it failed.
    pub stage: Stage,
    /// Short reason.
    pub reason: String,
    /// Error text for people.
    pub error: Option<Personal>,
    /// When the task is queued again.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub next_run_at: DateTime<Utc>,
}

/// The work is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskSucceeded {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Result of the work.
    pub result: Map<String, Value>,
}

/// The task failed for good: not retriable, or attempts spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskFailed {
    /// Last attempt.
    pub attempt: u32,
    /// Where it failed.
    pub stage: Stage,
    /// Short reason.
    pub reason: String,
    /// Error text for people.
    pub error: Option<Personal>,
}

/// The deadline passed before the task ended; it is failed at stage `timeout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskTimedOut {
    /// The deadline.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub deadline: DateTime<Utc>,
}

/// A running task shall stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCancelRequested {
    /// Why.
    pub reason: Option<Personal>,
    /// It is cancelled at this instant even without an answer of the worker.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub grace_until: DateTime<Utc>,
}

/// The task was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCancelled {
    /// Why.
    pub reason: Option<Personal>,
    /// Whether the lease holder said that it stopped; `false` also when nobody held it.
    pub acknowledged: bool,
}

/// A failed task was set aside for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDeadLettered {
    /// Where it failed.
    pub stage: Stage,
    /// Short reason.
    pub reason: String,
    /// Last error text for people.
    pub error: Option<Personal>,
}

/// A dead-lettered task gets fresh attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskRedriven {
    /// How often it was redriven, this time included.
    pub redrive_count: u32,
    /// The deadline that holds from now on; absent when there was none or it has passed.
    #[serde(default, with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub deadline: Option<DateTime<Utc>>,
    /// Why it may succeed now.
    pub reason: Option<Personal>,
}

/// A dead-lettered task was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDiscarded {
    /// Why.
    pub reason: Personal,
}

/// What the task did is being undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompensationStarted {
    /// Why.
    pub reason: Option<Personal>,
}

/// What the task did is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCompensated {}

/// What the task did could not be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompensationFailed {
    /// Error text for people.
    pub error: Personal,
}

/// Someone used a token that was really issued but is no longer current; refused, recorded once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleTokenRefused {
    /// The stale token.
    pub given: u32,
    /// The newest token that was issued.
    pub current: u32,
    /// Type of the refused command.
    pub command: String,
}
