//! assigned → running.

use schemas::task::{StartTask, TaskStarted};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// The lease holder begins.
pub(super) fn start(asked: Asked<'_>, command: &StartTask) -> Decision {
    asked.lease(command.fencing_token)?;
    match &asked.task.life {
        Life::Assigned(_) => one(TaskStarted { fencing_token: command.fencing_token }),
        _ => Err(asked.forbidden()),
    }
}
