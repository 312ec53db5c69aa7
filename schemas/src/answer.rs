//! What the command API answers, as JSON.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::commit::millis;
use crate::problem::Code;

/// The answer to a command that took effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandAnswer {
    /// Id of the aggregate.
    pub aggregate_id: String,
    /// Version of the aggregate after the command; the `ETag` repeats it.
    pub version: u64,
    /// The events that the command wrote; none when it is granted and nothing changed.
    pub events: Vec<WrittenEvent>,
    /// Consistency token: pass it as `atLeast` to a query to see this command's effect.
    pub position: String,
    /// For a renewal or heartbeat: the instant to which the lease or liveness runs.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub runs_until: Option<DateTime<Utc>>,
    /// For a renewal of a task that somebody wants cancelled: stop, and acknowledge before this instant;
    /// then the task is cancelled without its worker.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub grace_until: Option<DateTime<Utc>>,
    /// For an assignment: the task with its lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<LeasedTask>,
    /// `true` when this is what would happen: nothing was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// One event that a command wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrittenEvent {
    /// Id of the event, the same in every store and topic.
    pub id: Uuid,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of the aggregate that this event made.
    pub version: u64,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimAnswer {
    /// The leased tasks, the most urgent first; none when there was none in time.
    pub tasks: Vec<LeasedTask>,
    /// Consistency token.
    pub position: String,
    /// `true` when this is what would happen: nothing was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// A task with its lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeasedTask {
    /// Id of the task.
    pub id: String,
    /// Version of the task after the lease.
    pub version: u64,
    /// Token that every command of the holder carries.
    pub fencing_token: u32,
    /// Id of the lease.
    pub lease_id: Uuid,
    /// The lease runs to this instant.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub lease_expires_at: DateTime<Utc>,
    /// Length of the lease in milliseconds; renew before half of it is over.
    pub lease_ms: u32,
    /// 1-based attempt.
    pub attempt: u32,
    /// Queue that handed it out.
    pub queue: String,
    /// Kind of work, the `type` of its creation.
    pub kind: String,
    /// Short title for people.
    pub title: String,
    /// Input for the worker.
    pub payload: Map<String, Value>,
}

/// Why nothing was done (RFC 9457 and what we say beside it); docs/errors.md lists every code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Absolute URI of the problem type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// Id of the request, as `X-Request-Id` has it; absent inside a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable code, see docs/errors.md.
    pub code: String,
    /// What the caller can do.
    pub advice: String,
    /// Whether sending the same again may succeed.
    pub retryable: bool,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Version that the command expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
    /// Version that the aggregate has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_version: Option<u64>,
    /// The aggregate's state, for example `running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Commands that the aggregate's state allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// Newest fencing token of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_token: Option<u32>,
    /// The command's `Idempotency-Key`; with it the same command can be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Problem {
    /// The problem of `code`, with what happened this time.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: code.type_uri(),
            title: code.title().into(),
            status: code.status(),
            detail: detail.into(),
            instance: None,
            code: code.name().into(),
            advice: code.advice().into(),
            retryable: code.retryable(),
            errors: Vec::new(),
            expected_version: None,
            actual_version: None,
            state: None,
            allowed: None,
            current_token: None,
            key: None,
        }
    }
}

/// One fault of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// JSON Pointer of the field; empty for the body as a whole.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}
