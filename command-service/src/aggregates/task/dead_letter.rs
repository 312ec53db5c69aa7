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
