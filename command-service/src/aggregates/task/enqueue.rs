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
