//! executing, paused → completing → cleaning_up → completed, or → failed.

use schemas::agent::{
    AgentCompleted, CleanupFailed, CommitResult, CompleteAgent, CompletionStarted, FailCleanup,
    ResultCommitted,
};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// The task is done.
pub(super) fn complete(asked: Asked<'_>, command: &CompleteAgent) -> Decision {
    match &asked.agent.life {
        Life::Executing(_) | Life::Paused(_) => one(CompletionStarted { summary: command.summary.clone() }),
        _ => Err(asked.forbidden()),
    }
}

/// The result is committed; cleaning up remains.
pub(super) fn commit_result(asked: Asked<'_>, command: &CommitResult) -> Decision {
    match &asked.agent.life {
        Life::Completing(_) => one(ResultCommitted { commits: command.commits.clone() }),
        _ => Err(asked.forbidden()),
    }
}

/// Cleaned up, or nothing to clean.
pub(super) fn finish_cleanup(asked: Asked<'_>) -> Decision {
    match &asked.agent.life {
        Life::Completing(_) | Life::CleaningUp(_) => one(AgentCompleted {}),
        _ => Err(asked.forbidden()),
    }
}

/// Cleaning up failed.
pub(super) fn fail_cleanup(asked: Asked<'_>, command: &FailCleanup) -> Decision {
    match &asked.agent.life {
        Life::Completing(_) | Life::CleaningUp(_) => one(CleanupFailed { error: command.error.clone() }),
        _ => Err(asked.forbidden()),
    }
}
