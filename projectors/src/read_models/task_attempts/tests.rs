use schemas::task::*;

use super::*;
use crate::given::{assigned, at, created, rows, task};

/// TASK-12: what became of each lease, also after the next one was granted.
#[test]
fn each_lease_has_its_row() {
    let retry = RetryScheduled {
        attempt: 1,
        stage: Stage::Timeout,
        reason: "lease_expired".into(),
        error: None,
        next_run_at: at(60),
    };
    let queued = TaskQueued { because: QueuedBecause::RetryDue, enqueued_at: at(6) };
    let all = rows::<TaskAttempts>(&task(vec![
        created().into(),
        assigned(1, 1).into(),
        TaskStarted { fencing_token: 1 }.into(),
        LeaseExpired { fencing_token: 1, worker: "w-1".into() }.into(),
        retry.into(),
        queued.into(),
        assigned(2, 2).into(),
        TaskStarted { fencing_token: 2 }.into(),
        TaskSucceeded { fencing_token: 2, result: serde_json::Map::new() }.into(),
    ]));
    let first = all.iter().rfind(|row| row.fencing_token == 1).unwrap();
    assert_eq!((first.outcome.as_deref(), first.worker.as_str()), (Some("lease_expired"), "w-1"));
    assert_eq!(
        (first.started_at, first.ended_at, first.duration_ms),
        (Some(at(2)), Some(at(3)), Some(1_000))
    );
    assert_eq!((first.failure_reason.as_deref(), first.version), (Some("lease_expired"), 5));
    let second = all.last().unwrap();
    assert_eq!((second.fencing_token, second.attempt, second.outcome.as_deref()), (2, 2, Some("succeeded")));
}

#[test]
fn what_follows_an_ended_lease_does_not_change_it() {
    let released = TaskReleased { fencing_token: 1, reason: None };
    let cancelled = TaskCancelled { reason: None, acknowledged: false };
    let all = rows::<TaskAttempts>(&task(vec![
        created().into(),
        assigned(1, 1).into(),
        released.into(),
        cancelled.into(),
    ]));
    assert_eq!(all.last().unwrap().outcome.as_deref(), Some("released"));
    assert_eq!(all.last().unwrap().version, 3);
}

#[test]
fn a_task_that_was_never_leased_has_no_row() {
    let cancelled = TaskCancelled { reason: None, acknowledged: false };
    assert!(rows::<TaskAttempts>(&task(vec![created().into(), cancelled.into()])).is_empty());
}
