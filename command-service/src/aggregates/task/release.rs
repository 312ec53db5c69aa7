//! assigned → queued: the holder gives it back unworked; no attempt is spent.

use schemas::task::{QueuedBecause, ReleaseTask, TaskQueued, TaskReleased};

use super::Decision;
use super::asked::Asked;
use super::state::Life;
use crate::aggregates::instant;

/// The lease holder gives the task back.
pub(super) fn release(asked: Asked<'_>, command: &ReleaseTask) -> Decision {
    asked.lease(command.fencing_token)?;
    let Life::Assigned(_) = &asked.task.life else { return Err(asked.forbidden()) };
    Ok(vec![
        TaskReleased { fencing_token: command.fencing_token, reason: command.reason.clone() }.into(),
        TaskQueued { because: QueuedBecause::Released, enqueued_at: instant::whole(asked.context.at) }.into(),
    ])
}
