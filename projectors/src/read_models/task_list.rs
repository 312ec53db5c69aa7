//! `task_list`: every task with its present state.

use chrono::{DateTime, Utc};
use migrations::table::Table;
use migrations::{JsonText, TASK_LIST, TaskListRow};
use schemas::task::{
    RetryScheduled, TaskAssigned, TaskCancelRequested, TaskCreated, TaskEvent, TaskFailed, TaskProgressed,
    TaskQueued, TaskUpdated,
};
use schemas::text::Personal;

use crate::event::{Body, Event};
use crate::projection::{AggregateKey, KeyArray, Order, Projection, aggregate_arrays, aggregate_key};
use crate::stage::{self, name_of};

/// The read model.
#[derive(Debug)]
pub struct TaskList;

impl Projection for TaskList {
    type Key = AggregateKey;
    type Row = TaskListRow;

    const NAME: &'static str = "task_list";
    const READS: &'static [&'static str] = &["task"];
    const TABLE: &'static Table<TaskListRow> = TASK_LIST;

    fn key(event: &Event) -> Option<AggregateKey> {
        matches!(event.body(), Body::Task(_)).then(|| aggregate_key(event))
    }

    fn key_of(row: &TaskListRow) -> AggregateKey {
        (row.tenant.clone(), row.id)
    }

    fn arrays(keys: &[AggregateKey]) -> Vec<KeyArray> {
        aggregate_arrays(keys)
    }

    fn is_first(event: &Event) -> bool {
        event.version() == 1
    }

    fn order(row: Option<&TaskListRow>, event: &Event) -> Order {
        Order::of(row.map(|row| row.version), event)
    }

    fn fold(row: Option<TaskListRow>, event: &Event) -> Option<TaskListRow> {
        let Body::Task(body) = event.body() else { return row };
        let mut row = match (row, body) {
            (None, TaskEvent::TaskCreated(created)) => first(event, created),
            (Some(row), _) => row,
            (None, _) => return None,
        };
        apply(&mut row, body, event.at());
        if let Some(state) = stage::after(Some(&row.state), event.body()) {
            row.status = status(state, &row.status).to_owned();
            row.state = state.to_owned();
        }
        row.updated_at = event.at();
        row.version = event.version();
        row.event_id = event.id();
        row.position = event.position().to_string();
        Some(row)
    }
}

/// The public state (M-8); undoing a task leaves the one it had.
fn status<'a>(state: &'a str, before: &'a str) -> &'a str {
    match state {
        "pending" | "retry_wait" => "queued",
        "dead_lettered" | "discarded" | "compensation_failed" => "failed",
        "compensating" | "compensated" => before,
        same => same,
    }
}

fn text(personal: Option<&Personal>) -> Option<String> {
    personal.map(|personal| personal.0.clone())
}

fn first(event: &Event, created: &TaskCreated) -> TaskListRow {
    TaskListRow {
        tenant: event.tenant().clone(),
        id: event.aggregate_id(),
        queue: created.queue.clone(),
        r#type: created.kind.clone(),
        title: created.title.0.clone(),
        description: text(created.description.as_ref()),
        priority: name_of(&created.priority),
        priority_rank: created.priority.rank().into(),
        state: "pending".to_owned(),
        status: "queued".to_owned(),
        payload: JsonText::of(&created.payload),
        requirements: JsonText::of(&created.requirements),
        parent_id: created.parent_id.map(schemas::ids::AggregateId::uuid),
        depends_on: JsonText::of(&created.depends_on),
        hold: created.hold,
        run_at: created.run_at,
        deadline: created.deadline,
        policy: JsonText::of(&created.policy),
        max_attempts: created.policy.max_attempts.into(),
        metadata: JsonText::of(&created.metadata),
        correlation_id: event.commit().correlation.clone(),
        created_by: event.actor(),
        created_at: event.at(),
        updated_at: event.at(),
        enqueued_at: None,
        queued_because: None,
        worker: None,
        lease_id: None,
        fencing_token: 0,
        lease_expires_at: None,
        attempt: 0,
        assigned_at: None,
        started_at: None,
        completed_at: None,
        progress: 0,
        progress_note: None,
        estimated_completion: None,
        result: None,
        failure_stage: None,
        failure_reason: None,
        last_error: None,
        next_run_at: None,
        retry_count: 0,
        redrive_count: 0,
        cancel_requested_at: None,
        grace_until: None,
        reason: None,
        cancel_acknowledged: None,
        stale_tokens: 0,
        version: 0,
        event_id: event.id(),
        position: String::new(),
    }
}

/// What an event does to the columns of a row, other than state and version.
fn apply(row: &mut TaskListRow, event: &TaskEvent, at: DateTime<Utc>) {
    use TaskEvent as E;
    match event {
        E::TaskUpdated(updated) => update(row, updated),
        E::TaskQueued(queued) => queue(row, queued),
        E::TaskAssigned(assigned) => assign(row, assigned, at),
        E::TaskStarted(_) => row.started_at = Some(at),
        E::TaskProgressed(progressed) => progress(row, progressed, at),
        E::LeaseRenewed(renewed) => row.lease_expires_at = Some(renewed.lease_expires_at),
        E::TaskReleased(released) => row.reason = text(released.reason.as_ref()),
        E::RetryScheduled(scheduled) => retry(row, scheduled),
        E::TaskSucceeded(succeeded) => {
            row.result = Some(JsonText::of(&succeeded.result));
            row.progress = 100;
            end(row, at);
        }
        E::TaskFailed(failed) => fail_for_good(row, failed, at),
        E::TaskTimedOut(_) => {
            fail(row, "timeout".to_owned(), "deadline_passed", None);
            end(row, at);
        }
        E::TaskCancelRequested(request) => request_cancel(row, request, at),
        E::TaskCancelled(cancelled) => {
            row.reason = text(cancelled.reason.as_ref());
            row.cancel_acknowledged = Some(cancelled.acknowledged);
            end(row, at);
        }
        E::TaskDeadLettered(dead) => fail(row, name_of(&dead.stage), &dead.reason, dead.error.as_ref()),
        E::TaskRedriven(redriven) => {
            row.redrive_count = redriven.redrive_count.into();
            row.deadline = redriven.deadline;
            row.reason = text(redriven.reason.as_ref());
            row.attempt = 0;
        }
        E::TaskDiscarded(discarded) => row.reason = Some(discarded.reason.0.clone()),
        E::CompensationStarted(started) => row.reason = text(started.reason.as_ref()),
        E::CompensationFailed(failed) => {
            fail(row, "compensate".to_owned(), "compensation_failed", Some(&failed.error));
        }
        E::StaleTokenRefused(_) => row.stale_tokens += 1,
        E::HoldLifted(_) => row.hold = false,
        E::TaskCreated(_) | E::LeaseExpired(_) | E::TaskCompensated(_) => {}
    }
}

fn update(row: &mut TaskListRow, event: &TaskUpdated) {
    if let Some(title) = &event.title {
        row.title.clone_from(&title.0);
    }
    if let Some(description) = &event.description {
        row.description = Some(description.0.clone());
    }
    if let Some(priority) = event.priority {
        row.priority = name_of(&priority);
        row.priority_rank = priority.rank().into();
    }
    if let Some(payload) = &event.payload {
        row.payload = JsonText::of(payload);
    }
}

fn queue(row: &mut TaskListRow, event: &TaskQueued) {
    let_go(row);
    row.enqueued_at = Some(event.enqueued_at);
    row.queued_because = Some(name_of(&event.because));
    row.next_run_at = None;
    row.completed_at = None;
    (row.cancel_requested_at, row.grace_until, row.cancel_acknowledged) = (None, None, None);
}

fn assign(row: &mut TaskListRow, event: &TaskAssigned, at: DateTime<Utc>) {
    row.worker = Some(event.worker.clone());
    row.lease_id = Some(event.lease_id);
    row.fencing_token = event.fencing_token.into();
    row.lease_expires_at = Some(event.lease_expires_at);
    row.attempt = event.attempt.into();
    row.assigned_at = Some(at);
    row.started_at = None;
    row.enqueued_at = None;
}

fn progress(row: &mut TaskListRow, event: &TaskProgressed, at: DateTime<Utc>) {
    row.progress = event.progress.into();
    row.progress_note = text(event.note.as_ref());
    let pace = || {
        let spent = at.signed_duration_since(row.started_at?).num_milliseconds();
        let whole = (event.progress > 0).then(|| spent * 100 / i64::from(event.progress))?;
        Some(row.started_at? + chrono::Duration::milliseconds(whole))
    };
    row.estimated_completion = event.estimated_completion.or_else(pace);
}

fn request_cancel(row: &mut TaskListRow, event: &TaskCancelRequested, at: DateTime<Utc>) {
    row.cancel_requested_at = Some(at);
    row.grace_until = Some(event.grace_until);
    row.reason = text(event.reason.as_ref());
}

fn fail(row: &mut TaskListRow, stage: String, reason: &str, error: Option<&Personal>) {
    row.failure_stage = Some(stage);
    row.failure_reason = Some(reason.to_owned());
    row.last_error = text(error);
}

fn retry(row: &mut TaskListRow, event: &RetryScheduled) {
    fail(row, name_of(&event.stage), &event.reason, event.error.as_ref());
    row.retry_count += 1;
    let_go(row);
    row.next_run_at = Some(event.next_run_at);
}

fn fail_for_good(row: &mut TaskListRow, event: &TaskFailed, at: DateTime<Utc>) {
    fail(row, name_of(&event.stage), &event.reason, event.error.as_ref());
    end(row, at);
}

/// Nobody holds it.
fn let_go(row: &mut TaskListRow) {
    row.worker = None;
    row.lease_id = None;
    row.lease_expires_at = None;
    row.progress = 0;
    row.progress_note = None;
    row.estimated_completion = None;
}

fn end(row: &mut TaskListRow, at: DateTime<Utc>) {
    row.completed_at = Some(at);
    row.lease_expires_at = None;
    row.enqueued_at = None;
    row.next_run_at = None;
    row.estimated_completion = None;
}

#[cfg(test)]
mod tests;
