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
