//! Agents with a past, for tests.

use schemas::agent::{AwaitInput, CompleteAgent, RecordWorktree, SpawnAgent, StartSession};

use super::Agent;
use crate::aggregates::given::{Given, given};

/// A spawn: liveness of 10 s, one retry.
pub(crate) fn spawn() -> SpawnAgent {
    let body = r#"{"kind":"executor","label":"W","model":"none","task":"Count","maxRetries":1,
        "heartbeatMs":10000,"capabilities":["fs"],"roles":["worker"],"labels":["night"],"budgetLimit":"10.00",
        "config":{"temperature":0.7},"metadata":{"worktree":"w/1"}}"#;
    serde_json::from_str(body).unwrap()
}

/// The worktree exists.
pub(crate) fn worktree() -> RecordWorktree {
    RecordWorktree { path: "w/1".into() }
}

/// The session runs.
pub(crate) fn session() -> StartSession {
    StartSession { session_id: None }
}

/// It asks, with this limit in milliseconds.
pub(crate) fn ask(timeout_ms: Option<u32>) -> AwaitInput {
    AwaitInput { prompt: Some("which?".into()), timeout_ms }
}

/// Initializing.
pub(crate) fn initializing() -> Given<Agent> {
    given::<Agent>(&[]).when(0, spawn()).is("initializing")
}

/// Spawning.
pub(crate) fn spawning() -> Given<Agent> {
    initializing().when(0, worktree()).is("spawning")
}

/// Executing since second 0; alive until second 10.
pub(crate) fn executing() -> Given<Agent> {
    spawning().when(0, session()).is("executing")
}

/// Waiting since second 1, until second 5.
pub(crate) fn waiting() -> Given<Agent> {
    executing().when(1, ask(Some(4_000))).is("waiting")
}

/// Completing since second 1.
pub(crate) fn completing() -> Given<Agent> {
    executing().when(1, CompleteAgent { summary: None }).is("completing")
}
