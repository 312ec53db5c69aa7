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
