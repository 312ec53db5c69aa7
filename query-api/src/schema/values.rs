//! Small values that several types share: the token, enums of the columns, parsing of ids.

use async_graphql::{Enum, ID, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use schemas::position::Token;
use schemas::problem::Code;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Fallible;
use crate::limits::{MAX_FILTER_CHARS, MAX_FILTER_VALUES};
use crate::problem::{self, Problem};

/// The token of an argument, checked.
#[derive(Debug, Clone)]
pub(crate) struct ConsistencyToken(Token);

/// A consistency token: the `position` of a command's or a query's answer, opaque. Given as
/// `atLeast`, the answer includes everything that the token's answer included, or fails with
/// `token_not_reached`.
#[Scalar]
impl ScalarType for ConsistencyToken {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        text.parse().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The state of a task (M-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskState {
    /// Held back, or waiting for its time.
    Pending,
    /// Waiting for a worker.
    Queued,
    /// Leased, not begun.
    Assigned,
    /// Being worked on.
    Running,
    /// Waiting for the next attempt.
    RetryWait,
    /// Done.
    Succeeded,
    /// Failed for good.
    Failed,
    /// Set aside for a person.
    DeadLettered,
    /// Given up.
    Discarded,
    /// Cancelled.
    Cancelled,
    /// Being undone.
    Compensating,
    /// Undone.
    Compensated,
    /// Could not be undone.
    CompensationFailed,
}

/// One of the six public states, derived from the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskStatus {
    /// It waits: pending, queued or between attempts.
    Queued,
    /// A worker holds it.
    Assigned,
    /// A worker works on it.
    Running,
    /// It is done.
    Succeeded,
    /// It failed, or was set aside or given up.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Urgency inside a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskPriority {
    /// Behind all others.
    Low,
    /// The usual one.
    Normal,
    /// Before the usual ones.
    High,
    /// Before all others.
    Critical,
}

/// The lifecycle of an agent (M-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgentState {
    /// Its worktree is made.
    Initializing,
    /// Its session is started.
    Spawning,
    /// It works.
    Executing,
    /// It waits for input.
    Waiting,
    /// It was paused.
    Paused,
    /// Its result is committed.
    Completing,
    /// It is cleaned up.
    CleaningUp,
    /// It ended well.
    Completed,
    /// It failed.
    Failed,
    /// It was killed.
    Killed,
}

/// The status of an agent, derived from its lifecycle (AGENT-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgentStatus {
    /// It does not exist as a process yet.
    Pending,
    /// Its process is started.
    Initializing,
    /// It executes, waits, or ends its work.
    Running,
    /// It was paused.
    Paused,
    /// It ended well.
    Completed,
    /// It failed.
    Failed,
    /// It was killed.
    Killed,
}

/// The state of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RepositoryState {
    /// Its files are found.
    Registered,
    /// Its files are found no more.
    Retired,
}

/// The state of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SourceFileState {
    /// Known, its content is not.
    Registered,
    /// Its chunks are found.
    Indexed,
    /// No longer in the repository.
    Removed,
}

/// Whether an agent can take work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Availability {
    /// It could take a task now.
    Idle,
    /// It holds a lease.
    Busy,
    /// It takes no new tasks.
    Draining,
    /// It gave no sign of life in time.
    Offline,
}

/// What process an agent is (M-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgentKind {
    /// Directs others.
    Orchestrator,
    /// Does tasks of any kind.
    Executor,
    /// Writes code.
    Codegen,
    /// Looks after workers.
    WorkerManager,
    /// Indexes code and documents.
    Indexing,
    /// Finds things out.
    Research,
    /// Keeps knowledge.
    Knowledge,
    /// Runs workflows.
    WorkflowEngine,
    /// Checks quality.
    Quality,
    /// Joins systems.
    Integration,
}

/// The enum value that a column's text names.
///
/// # Errors
/// A newer release wrote a value that this one does not know.
pub(super) fn known<T: DeserializeOwned>(text: &str, column: &str) -> Fallible<T> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|_| {
        problem::internal(&format!("column `{column}` holds {text:?}, which this release does not know"))
    })
}

/// The column text of an enum value.
pub(super) fn column(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        other => unreachable!("a unit variant is a text: {other:?}"),
    }
}

/// The column texts of a filter's values.
pub(super) fn columns(values: &[impl Serialize]) -> Vec<String> {
    values.iter().map(column).collect()
}

/// The UUID of an id; `None` when it has another form: then nothing has that id.
pub(super) fn uuid_of(id: &ID) -> Option<Uuid> {
    Uuid::try_parse(id.as_str()).ok()
}

/// The UUID of an id that a filter names.
///
/// # Errors
/// `invalid_query` when it has another form.
pub(super) fn filter_uuid(id: Option<&ID>, name: &str) -> Fallible<Option<Uuid>> {
    let wrong = || Problem::new(Code::InvalidQuery, format!("`{name}` is not an id"));
    id.map(|id| uuid_of(id).ok_or_else(wrong)).transpose()
}

/// Checks the texts of a filter.
///
/// # Errors
/// `invalid_query` when there are too many or one is too long.
pub(super) fn bounded(texts: Option<&Vec<String>>, name: &str) -> Fallible<()> {
    let texts = texts.map_or(&[][..], Vec::as_slice);
    if texts.len() > MAX_FILTER_VALUES || texts.iter().any(|text| text.chars().count() > MAX_FILTER_CHARS) {
        let detail =
            format!("`{name}` takes at most {MAX_FILTER_VALUES} texts of {MAX_FILTER_CHARS} characters");
        return Err(Problem::new(Code::InvalidQuery, detail));
    }
    Ok(())
}
