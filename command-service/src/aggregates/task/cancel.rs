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
