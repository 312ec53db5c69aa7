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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{completing, executing, waiting};
    use schemas::agent::{FinishCleanup, PauseAgent};
    use schemas::problem::Code;

    fn command() -> CompleteAgent {
        CompleteAgent { summary: Some("done".into()) }
    }

    /// AGENT-6, M-4: through completing and cleaning up to the end.
    #[test]
    fn it_completes_in_steps() {
        let started = CompletionStarted { summary: Some("done".into()) };
        let agent = executing().when(1, command()).then("completing", &[started.clone().into()]);
        let commits = vec!["abc".to_owned()];
        let commit = CommitResult { commits: commits.clone() };
        let agent = agent.when(2, commit.clone()).then("cleaning_up", &[ResultCommitted { commits }.into()]);
        let agent = agent.when(2, commit).refused(Code::TransitionRefused, "while the agent is cleaning_up");
        let agent = agent.when(3, FinishCleanup {}).then("completed", &[AgentCompleted {}.into()]);
        assert_eq!(agent.due(), None, "an ended agent has no liveness");
        let paused = executing().when(1, PauseAgent { reason: None }).is("paused");
        paused.when(2, command()).then("completing", &[started.into()]);
        waiting().when(2, command()).refused(Code::TransitionRefused, "while the agent is waiting");
    }

    /// M-4: there may be nothing to clean, and cleaning may fail.
    #[test]
    fn it_ends_without_cleaning_or_fails_at_it() {
        completing().when(2, FinishCleanup {}).then("completed", &[AgentCompleted {}.into()]);
        let event = CleanupFailed { error: "busy".into() };
        completing().when(2, FailCleanup { error: "busy".into() }).then("failed", &[event.into()]);
    }
}
