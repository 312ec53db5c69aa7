//! pending → queued at `run_at`, retry_wait → queued after the back-off.

use schemas::task::{QueuedBecause, TaskQueued};

use super::Decision;
use super::asked::{Asked, guard, one};
use super::state::Life;
use crate::aggregates::instant;

/// Queues a task whose instant has come.
pub(super) fn make_due(asked: Asked<'_>) -> Decision {
    let (due, because) = match &asked.task.life {
        Life::Pending(pending) if pending.held => {
            return Err(guard("", "the task is held until it is enqueued"));
        }
        Life::Pending(pending) => (pending.run_at, QueuedBecause::RunAtDue),
        Life::RetryWait(waiting) => (Some(waiting.next_run_at), QueuedBecause::RetryDue),
        _ => return Err(asked.forbidden()),
    };
    match due {
        Some(due) if asked.context.at < due => Err(guard("", format!("due at {}", instant::text(due)))),
        _ => one(TaskQueued { because, enqueued_at: instant::whole(asked.context.at) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::{given, second};
    use crate::aggregates::task::Task;
    use crate::aggregates::task::samples::{create, created, held, queued, queued_at};
    use schemas::problem::Code;
    use schemas::task::{CreateTask, MakeDue};

    /// TASK-16, M-8: queued at `runAt`, not before.
    #[test]
    fn a_delayed_task_is_queued_when_its_time_comes() {
        let task = given::<Task>(&[created(CreateTask { run_at: Some(second(60)), ..create() })]);
        let task = task.when(59, MakeDue {}).refused(Code::GuardRefused, "due at 2026-01-01T00:01:00.000Z");
        task.when(61, MakeDue {}).then("queued", &[queued_at(QueuedBecause::RunAtDue, 61)]);
    }

    #[test]
    fn a_held_or_queued_task_does_not_become_due() {
        held().when(99, MakeDue {}).refused(Code::GuardRefused, "held until it is enqueued");
        queued().when(99, MakeDue {}).refused(Code::TransitionRefused, "while the task is queued");
    }
}
