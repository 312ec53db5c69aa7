//! failed → dead_lettered → queued again or discarded.

use schemas::task::{
    DiscardTask, QueuedBecause, RedriveTask, TaskDeadLettered, TaskDiscarded, TaskQueued, TaskRedriven,
};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;
use crate::aggregates::instant;

/// Sets a failed task aside, with what is known of its failure.
pub(super) fn set_aside(asked: Asked<'_>) -> Decision {
    let Life::Failed(failed) = &asked.task.life else { return Err(asked.forbidden()) };
    let failure = &failed.failure;
    one(TaskDeadLettered {
        stage: failure.stage,
        reason: failure.reason.clone(),
        error: failure.error.clone(),
    })
}

/// Fresh attempts; a deadline that has passed no longer holds, or it would fail the task at once.
pub(super) fn redrive(asked: Asked<'_>, command: &RedriveTask) -> Decision {
    let Life::DeadLettered(dead) = &asked.task.life else { return Err(asked.forbidden()) };
    let at = instant::whole(asked.context.at);
    let redriven = TaskRedriven {
        redrive_count: asked.task.redrives.saturating_add(1),
        deadline: dead.work.deadline.filter(|deadline| *deadline > at),
        reason: command.reason.clone(),
    };
    Ok(vec![redriven.into(), TaskQueued { because: QueuedBecause::Redriven, enqueued_at: at }.into()])
}

/// Gives the task up.
pub(super) fn discard(asked: Asked<'_>, command: &DiscardTask) -> Decision {
    let Life::DeadLettered(_) = &asked.task.life else { return Err(asked.forbidden()) };
    one(TaskDiscarded { reason: command.reason.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::{given, second};
    use crate::aggregates::task::Task;
    use crate::aggregates::task::samples::{assign, create, created, failed, queued, queued_at, running};
    use schemas::problem::Code;
    use schemas::task::{CreateTask, DeadLetterTask, Stage, TaskTimedOut, TimeOutTask};

    fn dead() -> crate::aggregates::given::Given<Task> {
        let error = Some("disk gone".into());
        let event = TaskDeadLettered { stage: Stage::Execute, reason: "io".into(), error }.into();
        failed().when(3, DeadLetterTask {}).then("dead_lettered", &[event])
    }

    /// M-8, TASK-13: fresh attempts, but the fencing token goes on rising.
    #[test]
    fn a_redriven_task_has_fresh_attempts_and_no_old_token() {
        let redriven = |redrive_count| TaskRedriven { redrive_count, deadline: None, reason: None }.into();
        let redrive = RedriveTask { reason: None };
        let events = [redriven(1), queued_at(QueuedBecause::Redriven, 4)];
        let task = dead().when(4, redrive.clone()).then("queued", &events);
        let task = task.when(5, assign("w-2")).is("assigned");
        let lease = task.state.as_ref().and_then(Task::lease_view).unwrap();
        assert_eq!((lease.attempt, lease.fencing_token, lease.title), (1, 2, "Count"));
        let end = schemas::task::FailTask { retriable: false, ..crate::aggregates::task::samples::fail(2) };
        let task = task.when(5, crate::aggregates::task::samples::start(2)).is("running");
        let task = task.when(6, end).is("failed").when(6, DeadLetterTask {}).is("dead_lettered");
        task.when(7, redrive).then("queued", &[redriven(2), queued_at(QueuedBecause::Redriven, 7)]);
    }

    /// TASK-24: a deadline that has passed would fail the redriven task at once, so it no longer holds.
    #[test]
    fn a_passed_deadline_is_lifted_and_a_coming_one_stays() {
        let deadline = Some(second(8));
        let past = [
            created(CreateTask { deadline, ..create() }),
            queued_at(QueuedBecause::Created, 0),
            TaskTimedOut { deadline: second(8) }.into(),
        ];
        let task = given::<Task>(&past).when(8, DeadLetterTask {}).is("dead_lettered");
        let redriven = |deadline| TaskRedriven { redrive_count: 1, deadline, reason: None }.into();
        let late = task.clone().when(9, RedriveTask { reason: None });
        assert_eq!(late.then("queued", &[redriven(None), queued_at(QueuedBecause::Redriven, 9)]).due(), None);
        let early = task.when(7, RedriveTask { reason: None });
        let early = early.then("queued", &[redriven(deadline), queued_at(QueuedBecause::Redriven, 7)]);
        assert_eq!(early.due(), Some((second(8), TimeOutTask {}.into())));
    }

    /// M-8: given up for good, with a reason.
    #[test]
    fn a_discarded_task_stays_discarded() {
        let discard = DiscardTask { reason: "twice".into() };
        let task = dead().when(4, discard.clone());
        let task = task.then("discarded", &[TaskDiscarded { reason: "twice".into() }.into()]);
        let task =
            task.when(5, RedriveTask { reason: None }).refused(Code::TransitionRefused, "is discarded");
        task.when(5, discard).refused(Code::TransitionRefused, "is discarded");
    }

    #[test]
    fn only_a_failed_task_is_set_aside() {
        running().when(4, DeadLetterTask {}).refused(Code::TransitionRefused, "while the task is running");
        queued().when(4, RedriveTask { reason: None }).refused(Code::TransitionRefused, "is queued");
    }
}
