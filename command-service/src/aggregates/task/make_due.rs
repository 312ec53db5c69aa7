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
