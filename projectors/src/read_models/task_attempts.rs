//! `task_attempts`: every lease of every task. An event is folded into the task's newest lease; a new
//! lease begins a new row and leaves the former one as it is.

use chrono::{DateTime, Utc};
use migrations::table::Table;
use migrations::{TASK_ATTEMPTS, TaskAttemptsRow};
use schemas::task::{TaskAssigned, TaskEvent};
use schemas::text::Personal;

use crate::event::{Body, Event};
use crate::projection::{AggregateKey, KeyArray, Projection, aggregate_arrays, aggregate_key};
use crate::stage::name_of;

/// The read model.
#[derive(Debug)]
pub struct TaskAttempts;

impl Projection for TaskAttempts {
    type Key = AggregateKey;
    type Row = TaskAttemptsRow;

    const NAME: &'static str = "task_attempts";
    const READS: &'static [&'static str] = &["task"];
    const TABLE: &'static Table<TaskAttemptsRow> = TASK_ATTEMPTS;

    fn key(event: &Event) -> Option<AggregateKey> {
        use TaskEvent as E;
        let Body::Task(body) = event.body() else { return None };
        let concerns = matches!(
            body,
            E::TaskAssigned(_)
                | E::TaskStarted(_)
                | E::TaskProgressed(_)
                | E::LeaseRenewed(_)
                | E::LeaseExpired(_)
                | E::TaskReleased(_)
                | E::RetryScheduled(_)
                | E::TaskSucceeded(_)
                | E::TaskFailed(_)
                | E::TaskTimedOut(_)
                | E::TaskCancelled(_)
        );
        concerns.then(|| aggregate_key(event))
    }

    fn key_of(row: &TaskAttemptsRow) -> AggregateKey {
        (row.tenant.clone(), row.task_id)
    }

    fn arrays(keys: &[AggregateKey]) -> Vec<KeyArray> {
        aggregate_arrays(keys)
    }

    fn is_first(event: &Event) -> bool {
        matches!(event.body(), Body::Task(TaskEvent::TaskAssigned(assigned)) if assigned.fencing_token == 1)
    }

    fn fold(row: Option<TaskAttemptsRow>, event: &Event) -> Option<TaskAttemptsRow> {
        let Body::Task(body) = event.body() else { return row };
        let mut row = match (row, body) {
            (_, TaskEvent::TaskAssigned(assigned)) => return Some(granted(event, assigned)),
            (Some(row), _) => row,
            // A task that was never leased times out or is cancelled.
            (None, _) => return None,
        };
        if !apply(&mut row, body, event.at()) {
            return Some(row);
        }
        row.version = event.version();
        row.event_id = event.id();
        row.position = event.position().to_string();
        Some(row)
    }
}

fn granted(event: &Event, assigned: &TaskAssigned) -> TaskAttemptsRow {
    TaskAttemptsRow {
        tenant: event.tenant().clone(),
        task_id: event.aggregate_id(),
        fencing_token: assigned.fencing_token.into(),
        attempt: assigned.attempt.into(),
        lease_id: assigned.lease_id,
        worker: assigned.worker.clone(),
        state: "assigned".to_owned(),
        outcome: None,
        assigned_at: event.at(),
        lease_expires_at: assigned.lease_expires_at,
        renewals: 0,
        started_at: None,
        ended_at: None,
        duration_ms: None,
        progress: 0,
        failure_stage: None,
        failure_reason: None,
        error: None,
        version: event.version(),
        event_id: event.id(),
        position: event.position().to_string(),
    }
}

/// Whether the event changed the lease: what happens to a task after its lease ended does not.
fn apply(row: &mut TaskAttemptsRow, event: &TaskEvent, at: DateTime<Utc>) -> bool {
    use TaskEvent as E;
    // An expiry is followed by what became of the attempt; the failure still belongs to it.
    let expired = row.outcome.as_deref() == Some("lease_expired");
    match event {
        E::RetryScheduled(retry) if expired => {
            fail(row, name_of(&retry.stage), &retry.reason, retry.error.as_ref())
        }
        E::TaskFailed(failed) if expired => {
            fail(row, name_of(&failed.stage), &failed.reason, failed.error.as_ref())
        }
        _ if row.ended_at.is_some() => return false,
        E::TaskStarted(_) => {
            row.state = "running".to_owned();
            row.started_at = Some(at);
        }
        E::TaskProgressed(progressed) => row.progress = progressed.progress.into(),
        E::LeaseRenewed(renewed) => {
            row.lease_expires_at = renewed.lease_expires_at;
            row.renewals += 1;
        }
        E::LeaseExpired(_) => end(row, "lease_expired", at),
        E::TaskReleased(_) => end(row, "released", at),
        E::RetryScheduled(retry) => {
            fail(row, name_of(&retry.stage), &retry.reason, retry.error.as_ref());
            end(row, "failed", at);
        }
        E::TaskFailed(failed) => {
            fail(row, name_of(&failed.stage), &failed.reason, failed.error.as_ref());
            end(row, "failed", at);
        }
        E::TaskSucceeded(_) => {
            row.progress = 100;
            end(row, "succeeded", at);
        }
        E::TaskTimedOut(_) => end(row, "timed_out", at),
        E::TaskCancelled(_) => end(row, "cancelled", at),
        _ => return false,
    }
    true
}

fn fail(row: &mut TaskAttemptsRow, stage: String, reason: &str, error: Option<&Personal>) {
    row.failure_stage = Some(stage);
    row.failure_reason = Some(reason.to_owned());
    row.error = error.map(|error| error.0.clone());
}

fn end(row: &mut TaskAttemptsRow, outcome: &str, at: DateTime<Utc>) {
    row.state = "ended".to_owned();
    row.outcome = Some(outcome.to_owned());
    row.ended_at = Some(at);
    row.duration_ms = row.started_at.map(|started| at.signed_duration_since(started).num_milliseconds());
}

#[cfg(test)]
mod tests;
