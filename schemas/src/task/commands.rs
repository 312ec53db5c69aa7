//! Bodies of the task commands: camelCase, closed, every field described.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::policy::{PolicyInput, Priority};
use crate::ids::AggregateId;
use crate::text::Personal;

/// The queue of a task whose creator names none.
pub const DEFAULT_QUEUE: &str = "default";
/// Most tasks that one claim may lease.
pub const MAX_CLAIM: u32 = 100;
/// Most queues that one claim may name.
pub const MAX_CLAIM_QUEUES: usize = 16;
/// Longest long poll of a claim, in milliseconds.
pub const MAX_CLAIM_WAIT_MS: u32 = 30_000;

fn default_queue() -> String {
    DEFAULT_QUEUE.to_owned()
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// Creates a task. It is queued in the same commit unless it is held, waits for other tasks or runs later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTask {
    /// Queue that hands the task out; it is the routing key and never changes.
    #[serde(default = "default_queue")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,64}$"))]
    pub queue: String,
    /// What kind of work it is, for example `inventory`; workers decide by it what to do.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub kind: String,
    /// Short title for people.
    pub title: Personal,
    /// Longer description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Personal>,
    /// Urgency inside the queue.
    #[serde(default)]
    pub priority: Priority,
    /// Input for the worker.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// Capabilities that a worker needs.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub requirements: Vec<String>,
    /// Task that this one is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<AggregateId>,
    /// Tasks that must succeed first; the task is held until it is enqueued.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub depends_on: Vec<AggregateId>,
    /// Keep the task pending until it is enqueued, for example for an approval.
    #[serde(default)]
    pub hold: bool,
    /// Not before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<DateTime<Utc>>,
    /// The task times out at this instant if it has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// Leases, attempts, waits; what is absent comes from the queue's configuration.
    #[serde(default)]
    pub policy: PolicyInput,
    /// Free labels, kept as they are.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// Queues a task that was held back. If it shall not run before a later instant, it is held no more and
/// queued at that instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnqueueTask {}

/// Changes a task that no worker holds yet; absent fields stay as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateTask {
    /// New title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Personal>,
    /// New description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Personal>,
    /// New urgency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// New input for the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Map<String, Value>>,
}

/// Leases the most urgent queued tasks: the queues are tried in the given order, the first that has any grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimTasks {
    /// Who works: the id of an agent, or any stable name of the worker.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,64}$"))]
    pub worker: String,
    /// Queues in the order in which they are tried.
    #[schemars(length(min = 1, max = 16), inner(regex(pattern = r"^[A-Za-z0-9_-]{1,64}$")))]
    pub queues: Vec<String>,
    /// Most tasks to lease.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub max: u32,
    /// How long to wait for a task when there is none, in milliseconds.
    #[serde(default)]
    #[schemars(range(max = 30_000))]
    pub wait: u32,
}

/// Leases this task to the named worker (push instead of pull).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignTask {
    /// Who works.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,64}$"))]
    pub worker: String,
}

/// The lease holder begins to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartTask {
    /// Token of the lease.
    pub fencing_token: u32,
}

/// The lease holder reports how far it is. Progress never falls; only a rise is an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportProgress {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Percent done.
    #[schemars(range(max = 100))]
    pub progress: u8,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Personal>,
    /// When the worker expects to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_completion: Option<DateTime<Utc>>,
}

/// The lease holder keeps its lease alive. While more than half of it is left nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewLease {
    /// Token of the lease.
    pub fencing_token: u32,
}

/// The lease holder gives the task back; it is queued again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseTask {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// The lease holder hands in the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompleteTask {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Result of the work.
    #[serde(default)]
    pub result: Map<String, Value>,
}

/// The lease holder reports a failure; a retriable one is tried again while attempts are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailTask {
    /// Token of the lease.
    pub fencing_token: u32,
    /// Whether another attempt may succeed.
    #[serde(default = "yes")]
    pub retriable: bool,
    /// Short reason, the same for equal failures.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// Error text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Personal>,
}

/// Cancels a task; a running one gets its grace period to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelTask {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// The lease holder has stopped working on a cancelled task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcknowledgeCancel {
    /// Token of the lease.
    pub fencing_token: u32,
}

/// Sets a failed task aside for a person; stage, reason and error are those of the failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeadLetterTask {}

/// Queues a dead-lettered task again with fresh attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedriveTask {
    /// Why it may succeed now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// Gives a dead-lettered task up for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiscardTask {
    /// Why; required, since nothing brings the task back.
    pub reason: Personal,
}

/// Begins to undo what the task did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompensateTask {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// The task's effects are undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompleteCompensation {}

/// The task's effects could not be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailCompensation {
    /// Error text for people.
    pub error: Personal,
}

/// The lease ran out; issued by the shard at that instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpireLease {
    /// Token of the lease that ran out.
    pub fencing_token: u32,
}

/// The instant at which a task may be queued has come; issued by the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MakeDue {}

/// The grace period of a cancelled task is over; issued by the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ElapseGrace {}

/// The task's deadline has passed; issued by the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeOutTask {}
