//! assigned → queued, running → retry_wait, failed or cancelled: the holder fell silent (TASK-12).

use schemas::task::{ExpireLease, LeaseExpired, QueuedBecause, Stage, TaskCancelled, TaskQueued};

use super::Decision;
use super::asked::{Asked, guard};
use super::fail::after_failure;
use super::state::{Failure, Life};
use crate::aggregates::instant;

/// Reason of an attempt that ended because its lease ran out.
const REASON: &str = "lease_expired";

/// The lease ran out.
pub(super) fn expire(asked: Asked<'_>, command: &ExpireLease) -> Decision {
    let Some(lease) = asked.task.life.lease() else { return Err(asked.forbidden()) };
    if lease.token != command.fencing_token {
        return Err(guard("/fencingToken", "is not the live lease"));
    }
    if asked.context.at < lease.expires_at {
        return Err(guard("", format!("the lease runs to {}", instant::text(lease.expires_at))));
    }
    let expired = LeaseExpired { fencing_token: lease.token, worker: lease.worker.clone() };
    let then = match &asked.task.life {
        Life::Running(running) => match &running.cancel {
            Some(cancel) => TaskCancelled { reason: cancel.reason.clone(), acknowledged: false }.into(),
            None => {
                let failure = Failure { stage: Stage::Timeout, reason: REASON.to_owned(), error: None };
                after_failure(running, failure, true, asked.context.stream, asked.context.at)
            }
        },
        _ => {
            let enqueued_at = instant::whole(asked.context.at);
            TaskQueued { because: QueuedBecause::LeaseExpired, enqueued_at }.into()
        }
    };
    Ok(vec![expired.into(), then])
}
