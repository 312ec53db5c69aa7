//! → cancelled. A running task gets its grace to stop and stays running until it does.

use schemas::task::{AcknowledgeCancel, CancelTask, TaskCancelRequested, TaskCancelled};

use super::Decision;
use super::asked::{Asked, guard, one};
use super::state::Life;
use crate::aggregates::instant;

/// Cancels at once what nobody works on; asks the worker of a running task to stop.
pub(super) fn cancel(asked: Asked<'_>, command: &CancelTask) -> Decision {
    match &asked.task.life {
        Life::Pending(_) | Life::Queued(_) | Life::Assigned(_) | Life::RetryWait(_) => {
            one(TaskCancelled { reason: command.reason.clone(), acknowledged: false })
        }
        // The first request set the grace; another neither shortens nor prolongs it.
        Life::Running(running) if running.cancel.is_some() => Ok(Vec::new()),
        Life::Running(running) => one(TaskCancelRequested {
            reason: command.reason.clone(),
            grace_until: instant::after(asked.context.at, running.work.policy.grace_ms.into()),
        }),
        _ => Err(asked.forbidden()),
    }
}

/// The lease holder has stopped.
pub(super) fn acknowledge(asked: Asked<'_>, command: &AcknowledgeCancel) -> Decision {
    match &asked.running(command.fencing_token)?.cancel {
        Some(cancel) => one(TaskCancelled { reason: cancel.reason.clone(), acknowledged: true }),
        None => Err(guard("", "nobody asked to cancel this task")),
    }
}

/// The grace is over.
pub(super) fn elapse_grace(asked: Asked<'_>) -> Decision {
    let Life::Running(running) = &asked.task.life else { return Err(asked.forbidden()) };
    match &running.cancel {
        Some(cancel) if asked.context.at >= cancel.grace_until => {
            one(TaskCancelled { reason: cancel.reason.clone(), acknowledged: false })
        }
        Some(cancel) => Err(guard("", format!("the grace runs to {}", instant::text(cancel.grace_until)))),
        None => Err(guard("", "nobody asked to cancel this task")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::{given, second};
    use crate::aggregates::task::Task;
    use crate::aggregates::task::samples::{assigned, fail, failed, held, queued, running};
    use schemas::problem::Code;
    use schemas::task::{ElapseGrace, TaskCommand, TaskEvent};

    fn command() -> CancelTask {
        CancelTask { reason: Some("obsolete".into()) }
    }

    fn cancelled(acknowledged: bool) -> TaskEvent {
        TaskCancelled { reason: Some("obsolete".into()), acknowledged }.into()
    }

    /// TASK-7, M-8: what nobody works on ends at once.
    #[test]
    fn what_nobody_works_on_is_cancelled_at_once() {
        for task in [held(), queued(), assigned(), running().when(2, fail(1)).is("retry_wait")] {
            let task = task.when(3, command()).then("cancelled", &[cancelled(false)]);
            assert_eq!(task.due(), None);
            task.when(4, command()).refused(Code::TransitionRefused, "while the task is cancelled");
        }
        failed().when(3, command()).refused(Code::TransitionRefused, "while the task is failed");
        given::<Task>(&[]).when(3, command()).refused(Code::NotFound, "no task");
    }

    fn requested() -> crate::aggregates::given::Given<Task> {
        let request = TaskCancelRequested { reason: command().reason, grace_until: second(6) };
        running().when(2, command()).then("running", &[request.into()])
    }

    /// TASK-7, M-8: a running task gets its grace; a second request does not change it.
    #[test]
    fn a_running_task_gets_a_grace_period() {
        let task = requested().when(3, command()).then("running", &[]);
        let grace: TaskCommand = ElapseGrace {}.into();
        assert_eq!(task.due(), Some((second(6), grace)));
        let task = task.when(5, ElapseGrace {}).refused(Code::GuardRefused, "the grace runs to");
        task.when(6, ElapseGrace {}).then("cancelled", &[cancelled(false)]);
    }

    /// TASK-7, M-8: the worker says that it stopped.
    #[test]
    fn the_holder_acknowledges() {
        let acknowledge = AcknowledgeCancel { fencing_token: 1 };
        requested().when(3, acknowledge.clone()).then("cancelled", &[cancelled(true)]);
        running().when(3, acknowledge.clone()).refused(Code::GuardRefused, "nobody asked");
        requested()
            .when(3, AcknowledgeCancel { fencing_token: 2 })
            .refused(Code::LeaseHeldByOther, "token 2");
        running().when(99, ElapseGrace {}).refused(Code::GuardRefused, "nobody asked");
    }
}
