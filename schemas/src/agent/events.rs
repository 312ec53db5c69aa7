//! Payloads of the agent events: `snake_case`, every field described, instants absolute.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::commands::AgentKind;
use crate::commit::millis;
use crate::ids::AggregateId;
use crate::text::Personal;

/// The state that a paused agent goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResumeTo {
    /// It was executing.
    Executing,
    /// It was waiting for input.
    Waiting,
}

/// An agent shall exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentSpawnRequested {
    /// What process it is.
    pub kind: AgentKind,
    /// Name for people.
    pub label: Option<Personal>,
    /// Model that it runs on.
    pub model: String,
    /// What it shall do.
    pub task: Option<Personal>,
    /// Team that it belongs to.
    pub team_id: Option<AggregateId>,
    /// Settings of the process.
    pub config: Map<String, Value>,
    /// What it starts out knowing.
    pub context: Map<String, Value>,
    /// Code that it starts from.
    pub code: Option<Personal>,
    /// Reasoning that it starts from.
    pub reasoning: Option<Personal>,
    /// What it must not do.
    pub safety_boundaries: Map<String, Value>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Roles that it plays.
    pub roles: Vec<String>,
    /// Labels to find it by.
    pub labels: Vec<String>,
    /// How often it may be retried.
    pub max_retries: u32,
    /// Most it may spend, a decimal.
    pub budget_limit: Option<String>,
    /// Length of its liveness after a heartbeat, in milliseconds.
    pub heartbeat_ms: u32,
    /// Free labels.
    pub metadata: BTreeMap<String, String>,
}

/// The agent's worktree exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorktreeCreated {
    /// Path of the worktree.
    pub path: String,
}

/// The agent's worktree could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorktreeFailed {
    /// Error text for people.
    pub error: Personal,
}

/// The agent executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStarted {
    /// Session that it runs in.
    pub session_id: Option<AggregateId>,
    /// It counts as alive until this instant.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub alive_until: DateTime<Utc>,
}

/// The agent's session could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpawnFailed {
    /// Error text for people.
    pub error: Personal,
}

/// The agent waits for input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputAwaited {
    /// What it asks.
    pub prompt: Option<Personal>,
    /// It fails at this instant without input.
    #[serde(default, with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub input_deadline: Option<DateTime<Utc>>,
}

/// The awaited input has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputReceived {
    /// The input.
    pub input: Option<Personal>,
}

/// The awaited input did not come in time; the agent failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputTimedOut {
    /// The instant.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub input_deadline: DateTime<Utc>,
}

/// The agent is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentPaused {
    /// Who paused it, `kind/id` of the actor.
    pub paused_by: String,
    /// The state it goes back to.
    pub resume_to: ResumeTo,
    /// Time that was left for the awaited input, in milliseconds; the pause does not count.
    #[serde(default)]
    pub input_left_ms: Option<u64>,
    /// Why.
    pub reason: Option<Personal>,
}

/// The agent goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentResumed {
    /// The state it went back to.
    pub to: ResumeTo,
    /// It fails at this instant without the awaited input.
    #[serde(default, with = "millis::option")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub input_deadline: Option<DateTime<Utc>>,
}

/// The agent failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentFailed {
    /// Error text for people.
    pub error: Personal,
}

/// The agent's task is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompletionStarted {
    /// What came of it.
    pub summary: Option<Personal>,
}

/// The agent's result is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResultCommitted {
    /// Ids of the commits.
    pub commits: Vec<String>,
}

/// The agent ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentCompleted {}

/// Cleaning up failed; the agent failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CleanupFailed {
    /// Error text for people.
    pub error: Personal,
}

/// A failed agent executes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentRetried {
    /// Retries so far, this one included.
    pub retry_count: u32,
    /// It counts as alive until this instant.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub alive_until: DateTime<Utc>,
}

/// The agent was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentKilled {
    /// Why.
    pub reason: Option<Personal>,
}

/// A new incarnation of the agent is initializing; its retries count from 0 and it is not draining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentRestarted {
    /// 1-based number of the incarnation.
    pub incarnation: u32,
    /// Why.
    pub reason: Option<Personal>,
}

/// The agent is hidden from lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentArchived {}

/// The agent is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatRecorded {
    /// It counts as alive until this instant.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub alive_until: DateTime<Utc>,
}

/// No heartbeat came in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentWentOffline {
    /// Until when it counted as alive.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub last_alive_until: DateTime<Utc>,
}

/// The agent takes no new work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrainStarted {
    /// Why.
    pub reason: Option<Personal>,
}

/// The agent's capabilities and roles were replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapabilitiesDeclared {
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Roles that it plays.
    pub roles: Vec<String>,
}
