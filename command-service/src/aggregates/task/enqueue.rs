//! pending → queued by hand or by a process manager.

use schemas::task::{HoldLifted, QueuedBecause, TaskQueued};

use super::Decision;
use super::asked::{Asked, guard, one};
use super::state::Life;
use crate::aggregates::instant;

/// Lifts the hold. `run_at` stays: an approval that comes early does not make the task run early.
pub(super) fn enqueue(asked: Asked<'_>) -> Decision {
    let Life::Pending(pending) = &asked.task.life else { return Err(asked.forbidden()) };
    let at = instant::whole(asked.context.at);
    match pending.run_at.filter(|run_at| *run_at > at) {
        None => one(TaskQueued { because: QueuedBecause::Enqueued, enqueued_at: at }),
        Some(_) if pending.held => one(HoldLifted {}),
        Some(run_at) => Err(guard(
            "",
            format!("nothing holds the task; it is queued at {} by itself", instant::text(run_at)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::{given, second};
    use crate::aggregates::task::Task;
    use crate::aggregates::task::samples::{create, created, held, queued, queued_at};
    use schemas::problem::Code;
    use schemas::task::{CreateTask, EnqueueTask, MakeDue};

    /// M-8: an approval queues a held task.
    #[test]
    fn a_held_task_is_queued() {
        held().when(5, EnqueueTask {}).then("queued", &[queued_at(QueuedBecause::Enqueued, 5)]);
    }

    /// TASK-16, M-8: an early approval does not make a task run before its `runAt`.
    #[test]
    fn an_early_approval_leaves_run_at_in_force() {
        let command = CreateTask { hold: true, run_at: Some(second(60)), ..create() };
        let task = given::<Task>(&[created(command)]);
        assert_eq!(task.due(), None, "a held task does not become due by itself");
        let task = task.when(5, EnqueueTask {}).then("pending", &[HoldLifted {}.into()]);
        assert_eq!(task.due(), Some((second(60), MakeDue {}.into())));
        let task =
            task.when(6, EnqueueTask {}).refused(Code::GuardRefused, "2026-01-01T00:01:00.000Z by itself");
        task.when(60, MakeDue {}).then("queued", &[queued_at(QueuedBecause::RunAtDue, 60)]);
    }

    #[test]
    fn only_a_pending_task_is_enqueued() {
        queued().when(5, EnqueueTask {}).refused(Code::TransitionRefused, "while the task is queued");
        given::<Task>(&[]).when(5, EnqueueTask {}).refused(Code::NotFound, "no task");
    }
}
