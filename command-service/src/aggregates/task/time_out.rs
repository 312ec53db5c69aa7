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
