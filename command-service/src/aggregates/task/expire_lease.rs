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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::task::samples::{assign, assigned, fail, queued, queued_at, running, start};
    use schemas::problem::Code;
    use schemas::task::{CancelTask, MakeDue, RetryScheduled, TaskEvent, TaskFailed};

    const EXPIRE: ExpireLease = ExpireLease { fencing_token: 1 };

    fn expired(fencing_token: u32, worker: &str) -> TaskEvent {
        LeaseExpired { fencing_token, worker: worker.into() }.into()
    }

    /// TASK-12, M-8: before the start it is queued again and no attempt is spent.
    #[test]
    fn an_unbegun_task_is_queued_again() {
        let task = assigned().when(9, EXPIRE).refused(Code::GuardRefused, "the lease runs to");
        let task =
            task.when(9, ExpireLease { fencing_token: 2 }).refused(Code::GuardRefused, "/fencingToken");
        let events = [expired(1, "w-1"), queued_at(QueuedBecause::LeaseExpired, 11)];
        let task = task.when(11, EXPIRE).then("queued", &events);
        let task = task.when(12, assign("w-2")).is("assigned").state.unwrap();
        assert_eq!(task.lease_view().map(|lease| (lease.attempt, lease.fencing_token)), Some((1, 2)));
        queued().when(99, EXPIRE).refused(Code::TransitionRefused, "while the task is queued");
    }

    /// TASK-12, M-8: a crashed worker costs an attempt; the last one is the end, at stage `timeout`.
    #[test]
    fn a_crashed_worker_costs_an_attempt() {
        let first = running().when(10, EXPIRE);
        let next_run_at = match first.decision.as_deref() {
            Ok([_, TaskEvent::RetryScheduled(retry)]) => retry.next_run_at,
            other => panic!("{other:?}"),
        };
        let (stage, reason) = (Stage::Timeout, "lease_expired".to_owned());
        let retry =
            RetryScheduled { attempt: 1, stage, reason: reason.clone(), error: None, next_run_at }.into();
        let task = first.then("retry_wait", &[expired(1, "w-1"), retry]).when(20, MakeDue {}).is("queued");
        let task = task.when(20, assign("w-2")).is("assigned").when(20, start(2)).is("running");
        let failed = TaskFailed { attempt: 2, stage, reason, error: None }.into();
        let task = task.when(30, ExpireLease { fencing_token: 2 });
        task.then("failed", &[expired(2, "w-2"), failed])
            .when(31, fail(2))
            .refused(Code::StaleFencingToken, "2");
    }

    /// TASK-7: a worker that shall stop and falls silent has stopped.
    #[test]
    fn a_task_that_shall_stop_is_cancelled() {
        let task = running().when(9, CancelTask { reason: None }).is("running");
        let cancelled = TaskCancelled { reason: None, acknowledged: false }.into();
        task.when(10, EXPIRE).then("cancelled", &[expired(1, "w-1"), cancelled]);
    }
}
