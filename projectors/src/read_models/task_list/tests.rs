use schemas::task::*;
use serde_json::json;

use super::*;
use crate::given::{assigned, at, created, last, rows, task};

fn queued(because: QueuedBecause) -> TaskEvent {
    TaskQueued { because, enqueued_at: at(1) }.into()
}

fn running() -> Vec<TaskEvent> {
    vec![
        created().into(),
        queued(QueuedBecause::Created),
        assigned(1, 1).into(),
        TaskStarted { fencing_token: 1 }.into(),
    ]
}

fn progressed(progress: u8, estimated_completion: Option<DateTime<Utc>>) -> TaskEvent {
    TaskProgressed { fencing_token: 1, progress, note: Some("half".into()), estimated_completion }.into()
}

fn and(mut events: Vec<TaskEvent>, more: Vec<TaskEvent>) -> Vec<Event> {
    events.extend(more);
    task(events)
}

/// TASK-1: the row says what the events said, and where it comes from.
#[test]
fn a_running_task_shows_its_lease() {
    let events = task(running());
    let row = last::<TaskList>(&events);
    assert_eq!(
        (row.state.as_str(), row.status.as_str(), row.priority.as_str()),
        ("running", "running", "high")
    );
    assert_eq!((row.worker.as_deref(), row.fencing_token, row.attempt), (Some("w-1"), 1, 1));
    assert_eq!((row.created_at, row.assigned_at, row.started_at), (at(0), Some(at(2)), Some(at(3))));
    assert_eq!((row.enqueued_at, row.completed_at), (None, None));
    assert_eq!((row.created_by.as_str(), row.correlation_id.as_str()), ("user/alice", "request-1"));
    assert_eq!((row.version, row.event_id, row.position.as_str()), (4, events[3].id(), "1.3.13.0"));
}

/// TASK-23: the estimate is the worker's; without one it is drawn from the pace so far.
#[test]
fn progress_brings_an_estimate() {
    let row = last::<TaskList>(&and(running(), vec![progressed(25, None)]));
    assert_eq!((row.progress, row.progress_note.as_deref()), (25, Some("half")));
    assert_eq!(row.estimated_completion, Some(at(3 + 4)), "a quarter took one second");
    let row = last::<TaskList>(&and(running(), vec![progressed(25, Some(at(99)))]));
    assert_eq!(row.estimated_completion, Some(at(99)));
}

/// TASK-10: a lease that ran out in the middle of the work leads to another attempt.
#[test]
fn an_expired_lease_frees_the_task() {
    let expired = LeaseExpired { fencing_token: 1, worker: "w-1".into() };
    let retry = RetryScheduled {
        attempt: 1,
        stage: Stage::Timeout,
        reason: "lease_expired".into(),
        error: None,
        next_run_at: at(60),
    };
    let row = last::<TaskList>(&and(running(), vec![progressed(10, None), expired.into(), retry.into()]));
    assert_eq!((row.state.as_str(), row.status.as_str(), row.retry_count), ("retry_wait", "queued", 1));
    assert_eq!((row.worker, row.lease_expires_at, row.progress), (None, None, 0));
    assert_eq!((row.next_run_at, row.failure_stage.as_deref()), (Some(at(60)), Some("timeout")));
}

#[test]
fn an_ended_task_keeps_who_ended_it() {
    let result = json!({"lines": 3}).as_object().unwrap().clone();
    let row = last::<TaskList>(&and(running(), vec![TaskSucceeded { fencing_token: 1, result }.into()]));
    assert_eq!((row.status.as_str(), row.progress, row.completed_at), ("succeeded", 100, Some(at(4))));
    assert_eq!((row.worker.as_deref(), row.result), (Some("w-1"), Some(JsonText::of(&json!({"lines": 3})))));
    let undo = vec![CompensationStarted { reason: None }.into(), TaskCompensated {}.into()];
    let success = TaskSucceeded { fencing_token: 1, result: serde_json::Map::new() }.into();
    let undone = rows::<TaskList>(&and(running(), [vec![success], undo].concat()));
    let states: Vec<_> = undone.iter().map(|row| (row.state.as_str(), row.status.as_str())).collect();
    assert_eq!(
        states[4..],
        [("succeeded", "succeeded"), ("compensating", "succeeded"), ("compensated", "succeeded")]
    );
}

#[test]
fn a_redriven_task_begins_again() {
    let stage = Stage::Execute;
    let failed = TaskFailed { attempt: 1, stage, reason: "bad".into(), error: Some("boom".into()) };
    let dead = TaskDeadLettered { stage, reason: "bad".into(), error: Some("boom".into()) };
    let redriven = TaskRedriven { redrive_count: 1, deadline: Some(at(500)), reason: Some("fixed".into()) };
    let again = queued(QueuedBecause::Redriven);
    let all = rows::<TaskList>(&and(running(), vec![failed.into(), dead.into(), redriven.into(), again]));
    let dead = &all[5];
    assert_eq!(
        (dead.state.as_str(), dead.status.as_str(), dead.completed_at),
        ("dead_lettered", "failed", Some(at(4)))
    );
    let row = all.last().unwrap();
    assert_eq!((row.state.as_str(), row.attempt, row.redrive_count), ("queued", 0, 1));
    assert_eq!(
        (row.completed_at, row.deadline, row.last_error.as_deref()),
        (None, Some(at(500)), Some("boom"))
    );
}

#[test]
fn a_cancel_is_asked_for_and_then_happens() {
    let request = TaskCancelRequested { reason: Some("stop".into()), grace_until: at(30) };
    let cancelled = TaskCancelled { reason: Some("stop".into()), acknowledged: true };
    let all = rows::<TaskList>(&and(running(), vec![request.into(), cancelled.into()]));
    assert_eq!((all[4].state.as_str(), all[4].grace_until), ("running", Some(at(30))));
    assert_eq!((all[5].status.as_str(), all[5].cancel_acknowledged), ("cancelled", Some(true)));
}

#[test]
fn an_update_changes_what_it_names() {
    let update = TaskUpdated {
        title: None,
        description: Some("more".into()),
        priority: Some(Priority::Low),
        payload: None,
    };
    let row = last::<TaskList>(&task(vec![created().into(), update.into()]));
    assert_eq!(
        (row.title.as_str(), row.description.as_deref(), row.priority_rank),
        ("count", Some("more"), 1)
    );
}

#[test]
fn an_event_out_of_order_is_noticed() {
    let events = task(running());
    let row = TaskList::fold(None, &events[0]);
    assert_eq!(TaskList::order(row.as_ref(), &events[0]), Order::Applied);
    assert_eq!(TaskList::order(row.as_ref(), &events[1]), Order::Next);
    assert_eq!(TaskList::order(row.as_ref(), &events[2]), Order::Gap);
    assert_eq!(TaskList::order(None, &events[1]), Order::Gap);
}
