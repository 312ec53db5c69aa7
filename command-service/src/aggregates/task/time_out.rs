//! Every stage before the end → failed at stage `timeout`, when the deadline has passed (TASK-24).

use schemas::task::TaskTimedOut;

use super::Decision;
use super::asked::{Asked, guard, one};
use crate::aggregates::instant;

/// Reason of a task that met its deadline.
pub(super) const REASON: &str = "deadline_passed";

/// The deadline has passed.
pub(super) fn time_out(asked: Asked<'_>) -> Decision {
    let Some(work) = asked.task.life.open_work() else { return Err(asked.forbidden()) };
    match work.deadline {
        Some(deadline) if asked.context.at >= deadline => one(TaskTimedOut { deadline }),
        Some(deadline) => Err(guard("", format!("the deadline is {}", instant::text(deadline)))),
        None => Err(guard("", "the task has no deadline")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::{Given, given, second};
    use crate::aggregates::task::Task;
    use crate::aggregates::task::samples::{assign, create, created, fail, failed, queued, queued_at, start};
    use schemas::problem::Code;
    use schemas::task::{
        CreateTask, DeadLetterTask, QueuedBecause, Stage, TaskCommand, TaskDeadLettered, TimeOutTask,
    };

    fn limited() -> [Given<Task>; 5] {
        let command = CreateTask { deadline: Some(second(8)), ..create() };
        let held = given(&[created(CreateTask { hold: true, ..command.clone() })]);
        let queued = given::<Task>(&[created(command), queued_at(QueuedBecause::Created, 0)]);
        let assigned = queued.clone().when(0, assign("w-1")).is("assigned");
        let running = assigned.clone().when(1, start(1)).is("running");
        let waiting = running.clone().when(7, fail(1)).is("retry_wait");
        [held, queued, assigned, running, waiting]
    }

    /// TASK-24: every stage before the end times out at the deadline, and the failure says so.
    #[test]
    fn the_deadline_ends_it_wherever_it_is() {
        for task in limited() {
            let due: TaskCommand = TimeOutTask {}.into();
            assert!(
                task.due() == Some((second(8), due))
                    || task.state.as_ref().is_some_and(|task| { task.stage() == "retry_wait" })
            );
            let task = task.when(7, TimeOutTask {}).refused(Code::GuardRefused, "the deadline is");
            let task =
                task.when(8, TimeOutTask {}).then("failed", &[TaskTimedOut { deadline: second(8) }.into()]);
            assert_eq!(task.due(), None);
            let (stage, reason) = (Stage::Timeout, "deadline_passed".to_owned());
            let set_aside = TaskDeadLettered { stage, reason, error: None }.into();
            task.when(9, DeadLetterTask {}).then("dead_lettered", &[set_aside]);
        }
    }

    #[test]
    fn without_a_deadline_nothing_times_out() {
        queued().when(99, TimeOutTask {}).refused(Code::GuardRefused, "has no deadline");
        failed().when(99, TimeOutTask {}).refused(Code::TransitionRefused, "while the task is failed");
    }

    use crate::aggregates::Aggregate;
}
