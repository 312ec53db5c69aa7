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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::task::samples::{failed, queued, running};
    use schemas::problem::Code;
    use schemas::task::{CompleteCompensation, CompleteTask, TaskEvent};

    /// M-8, TASK-10: what succeeded or failed can be undone, well or not.
    #[test]
    fn an_ended_task_is_undone() {
        let done = CompleteTask { fencing_token: 1, result: serde_json::Map::new() };
        for task in [failed(), running().when(2, done).is("succeeded")] {
            let begun = CompensationStarted { reason: None }.into();
            let task = task.when(3, CompensateTask { reason: None }).then("compensating", &[begun]);
            let well = task.clone().when(4, CompleteCompensation {});
            well.then("compensated", &[TaskCompensated {}.into()]);
            let command = FailCompensation { error: "gone".into() };
            let event: TaskEvent = CompensationFailed { error: "gone".into() }.into();
            task.when(4, command).then("compensation_failed", &[event]);
        }
    }

    #[test]
    fn there_must_be_something_to_undo() {
        queued().when(3, CompensateTask { reason: None }).refused(Code::TransitionRefused, "is queued");
        failed().when(3, CompleteCompensation {}).refused(Code::TransitionRefused, "is failed");
        let fail = FailCompensation { error: "gone".into() };
        failed().when(3, fail).refused(Code::TransitionRefused, "is failed");
    }
}
