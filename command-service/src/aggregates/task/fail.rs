//! running → retry_wait while attempts are left, else → failed.

use schemas::ids::Stream;
use schemas::task::{FailTask, RetryScheduled, Stage, TaskEvent, TaskFailed};

use super::Decision;
use super::asked::Asked;
use super::backoff;
use super::state::{Failure, Running};
use crate::aggregates::instant;
use chrono::{DateTime, Utc};

/// The lease holder reports a failure.
pub(super) fn fail(asked: Asked<'_>, command: &FailTask) -> Decision {
    let running = asked.running(command.fencing_token)?;
    let failure =
        Failure { stage: Stage::Execute, reason: command.reason.clone(), error: command.error.clone() };
    // A task that shall stop is not tried again; that it failed, and why, is kept all the same.
    let again = command.retriable && running.cancel.is_none();
    Ok(vec![after_failure(running, failure, again, asked.context.stream, asked.context.at)])
}

/// Another attempt, or the end: attempts are spent by attempts that began.
pub(super) fn after_failure(
    running: &Running,
    failure: Failure,
    again: bool,
    stream: &Stream,
    at: DateTime<Utc>,
) -> TaskEvent {
    let attempt = running.lease.attempt;
    let policy = &running.work.policy;
    let Failure { stage, reason, error } = failure;
    if again && attempt < policy.max_attempts {
        let next_run_at = instant::after(at, backoff::wait_ms(policy, stream, attempt));
        RetryScheduled { attempt, stage, reason, error, next_run_at }.into()
    } else {
        TaskFailed { attempt, stage, reason, error }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::second;
    use crate::aggregates::task::Task;
    use crate::aggregates::task::samples::{assign, assigned, fail as command, queued_at, running, start};
    use schemas::problem::Code;
    use schemas::task::{CancelTask, MakeDue, QueuedBecause};

    fn failed(attempt: u32) -> TaskEvent {
        let error = Some("disk gone".into());
        TaskFailed { attempt, stage: Stage::Execute, reason: "io".into(), error }.into()
    }

    /// TASK-13, M-8, M-11: a retriable failure waits for the next attempt; the last one ends the task.
    #[test]
    fn attempts_are_tried_and_then_spent() {
        let waited = running().when(2, command(1));
        let next_run_at = match waited.decision.as_deref() {
            Ok([TaskEvent::RetryScheduled(retry)]) => retry.next_run_at,
            other => panic!("{other:?}"),
        };
        assert!((second(3)..=second(3) + chrono::TimeDelta::milliseconds(300)).contains(&next_run_at));
        let error = Some("disk gone".into());
        let retry =
            RetryScheduled { attempt: 1, stage: Stage::Execute, reason: "io".into(), error, next_run_at };
        let task = waited.then("retry_wait", &[retry.into()]);
        assert_eq!(task.due(), Some((next_run_at, MakeDue {}.into())));
        let task = task.when(2, MakeDue {}).refused(Code::GuardRefused, "due at");
        let task = task.when(9, MakeDue {}).then("queued", &[queued_at(QueuedBecause::RetryDue, 9)]);
        let task = task.when(9, assign("w-2")).is("assigned");
        assert_eq!(task.state.as_ref().and_then(Task::lease_view).map(|lease| lease.attempt), Some(2));
        task.when(9, start(2)).is("running").when(10, command(2)).then("failed", &[failed(2)]);
    }

    /// M-8: what cannot succeed is not tried again.
    #[test]
    fn a_failure_that_is_not_retriable_is_the_end() {
        let command = FailTask { retriable: false, ..command(1) };
        running().when(2, command).then("failed", &[failed(1)]);
    }

    #[test]
    fn a_task_that_shall_stop_is_not_tried_again() {
        let task = running().when(2, CancelTask { reason: None }).is("running");
        task.when(3, command(1)).then("failed", &[failed(1)]);
    }

    #[test]
    fn only_its_holder_fails_what_it_began() {
        assigned().when(2, command(1)).refused(Code::TransitionRefused, "while the task is assigned");
        running().when(2, command(7)).refused(Code::LeaseHeldByOther, "token 7");
    }
}
