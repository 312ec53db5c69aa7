//! Bodies of the agent commands: camelCase, closed, every field described.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::AggregateId;
use crate::text::Personal;

fn three() -> u32 {
    3
}

fn half_a_minute() -> u32 {
    30_000
}

/// What process an agent is (M-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Coordinates others.
    Orchestrator,
    /// Executes tasks.
    #[default]
    Executor,
    /// Writes code.
    Codegen,
    /// Manages workers.
    WorkerManager,
    /// Indexes code.
    Indexing,
    /// Researches.
    Research,
    /// Keeps knowledge.
    Knowledge,
    /// Runs workflows.
    WorkflowEngine,
    /// Judges quality.
    Quality,
    /// Integrates parts.
    Integration,
}

/// Registers an agent (AGENT-13).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpawnAgent {
    /// What process it is.
    #[serde(default)]
    pub kind: AgentKind,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Personal>,
    /// Model that it runs on, for example `none` for a plain worker.
    #[schemars(length(min = 1, max = 255))]
    pub model: String,
    /// What it shall do, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Personal>,
    /// Team that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<AggregateId>,
    /// Settings of the process: temperature, tools, skills.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// What it starts out knowing.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// Code that it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Personal>,
    /// Reasoning that it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Personal>,
    /// What it must not do.
    #[serde(default)]
    pub safety_boundaries: Map<String, Value>,
    /// What it can do.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub capabilities: Vec<String>,
    /// Roles that it plays, for example `worker`, `reviewer`, `architect`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub roles: Vec<String>,
    /// Labels to find it by.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub labels: Vec<String>,
    /// How often it may be retried after a failure.
    #[serde(default = "three")]
    #[schemars(range(max = 100))]
    pub max_retries: u32,
    /// Most it may spend, a decimal with up to four places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,8}(\.[0-9]{1,4})?$"))]
    pub budget_limit: Option<String>,
    /// It counts as offline this long after its last heartbeat, in milliseconds.
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1_000, max = 86_400_000))]
    pub heartbeat_ms: u32,
    /// Free labels, kept as they are.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// The agent's worktree exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordWorktree {
    /// Path of the worktree, as the agent sees it.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,
}

/// The agent's worktree could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailWorktree {
    /// Error text for people.
    pub error: Personal,
}

/// The agent's session runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartSession {
    /// Session that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<AggregateId>,
}

/// The agent's session could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailSpawn {
    /// Error text for people.
    pub error: Personal,
}

/// The agent waits for input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwaitInput {
    /// What it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Personal>,
    /// It fails after this long without input, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800_000))]
    pub timeout_ms: Option<u32>,
}

/// The awaited input has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiveInput {
    /// The input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Personal>,
}

/// Pauses an executing or waiting agent; the actor is recorded as the one who paused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PauseAgent {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// Resumes a paused agent in the state it was paused in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeAgent {}

/// The agent met an error it cannot go on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportError {
    /// Error text for people.
    pub error: Personal,
}

/// The agent's task is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompleteAgent {
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Personal>,
}

/// The agent's result is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitResult {
    /// Ids of the commits that hold the result.
    #[serde(default)]
    #[schemars(length(max = 1_000), inner(length(min = 1, max = 128)))]
    pub commits: Vec<String>,
}

/// The agent is cleaned up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishCleanup {}

/// Cleaning up failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailCleanup {
    /// Error text for people.
    pub error: Personal,
}

/// Lets a failed agent execute again while retries are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryAgent {}

/// Kills the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KillAgent {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// Kills the agent and begins a new incarnation under the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestartAgent {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// Hides an ended agent from lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArchiveAgent {}

/// The agent is alive. While more than half of its time is left nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordHeartbeat {}

/// The agent takes no new work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrainAgent {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

/// Replaces the agent's capabilities and roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeclareCapabilities {
    /// What it can do.
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub capabilities: Vec<String>,
    /// Roles that it plays.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub roles: Vec<String>,
}

/// The awaited input did not come in time; issued by the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeOutInput {}

/// No heartbeat came in time; issued by the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpireHeartbeat {}
