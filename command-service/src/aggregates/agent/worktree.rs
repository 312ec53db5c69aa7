//! initializing → spawning, or → failed.

use schemas::agent::{FailWorktree, RecordWorktree, WorktreeCreated, WorktreeFailed};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// The worktree exists.
pub(super) fn record(asked: Asked<'_>, command: &RecordWorktree) -> Decision {
    match asked.agent.life {
        Life::Initializing => one(WorktreeCreated { path: command.path.clone() }),
        _ => Err(asked.forbidden()),
    }
}

/// The worktree could not be made.
pub(super) fn fail(asked: Asked<'_>, command: &FailWorktree) -> Decision {
    match asked.agent.life {
        Life::Initializing => one(WorktreeFailed { error: command.error.clone() }),
        _ => Err(asked.forbidden()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{initializing, spawning, worktree};
    use schemas::problem::Code;

    /// AGENT-6, M-4: the worktree exists, or the agent fails.
    #[test]
    fn a_worktree_comes_first() {
        initializing().when(1, worktree()).then("spawning", &[WorktreeCreated { path: "w/1".into() }.into()]);
        let error = || FailWorktree { error: "disk full".into() };
        let event = WorktreeFailed { error: "disk full".into() };
        initializing().when(1, error()).then("failed", &[event.into()]);
        spawning().when(1, error()).refused(Code::TransitionRefused, "while the agent is spawning");
    }
}
