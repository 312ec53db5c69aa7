//! succeeded, failed → compensating → compensated or compensation_failed.

use schemas::task::{
    CompensateTask, CompensationFailed, CompensationStarted, FailCompensation, TaskCompensated,
};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// Begins to undo.
pub(super) fn begin(asked: Asked<'_>, command: &CompensateTask) -> Decision {
    match &asked.task.life {
        Life::Succeeded | Life::Failed(_) => one(CompensationStarted { reason: command.reason.clone() }),
        _ => Err(asked.forbidden()),
    }
}

/// It is undone.
pub(super) fn complete(asked: Asked<'_>) -> Decision {
    match &asked.task.life {
        Life::Compensating => one(TaskCompensated {}),
        _ => Err(asked.forbidden()),
    }
}

/// It could not be undone.
pub(super) fn fail(asked: Asked<'_>, command: &FailCompensation) -> Decision {
    match &asked.task.life {
        Life::Compensating => one(CompensationFailed { error: command.error.clone() }),
        _ => Err(asked.forbidden()),
    }
}
