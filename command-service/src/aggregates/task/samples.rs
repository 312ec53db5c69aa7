//! Tasks with a past, for tests.

use schemas::task::{
    AssignTask, CreateTask, FailTask, PolicyInput, Priority, QueuedBecause, StartTask, TaskCreated,
    TaskEvent, TaskQueued,
};

use super::Task;
use crate::aggregates::given::{Given, given, second};

/// Lease of the samples in milliseconds.
pub(crate) const LEASE_MS: u32 = 10_000;

/// A creation of which nothing waits.
pub(crate) fn create() -> CreateTask {
    CreateTask {
        queue: "default".into(),
        kind: "inventory".into(),
        title: "Count".into(),
        description: Some("Count the files".into()),
        priority: Priority::Normal,
        payload: serde_json::from_str(r#"{"path":"src"}"#).unwrap(),
        requirements: vec!["fs".into()],
        parent_id: None,
        depends_on: Vec::new(),
        hold: false,
        run_at: None,
        deadline: None,
        policy: PolicyInput {
            lease_ms: Some(LEASE_MS),
            grace_ms: Some(4_000),
            max_attempts: Some(2),
            ..PolicyInput::default()
        },
        metadata: [("repo".to_owned(), "gesta".to_owned())].into(),
    }
}

/// The event of that creation.
pub(crate) fn created(command: CreateTask) -> TaskEvent {
    TaskCreated {
        queue: command.queue,
        kind: command.kind,
        title: command.title,
        description: command.description,
        priority: command.priority,
        payload: command.payload,
        requirements: command.requirements,
        parent_id: command.parent_id,
        depends_on: command.depends_on,
        hold: command.hold,
        run_at: command.run_at,
        deadline: command.deadline,
        policy: command.policy.into(),
        metadata: command.metadata,
    }
    .into()
}

/// `queued` at that second.
pub(crate) fn queued_at(because: QueuedBecause, at: i64) -> TaskEvent {
    TaskQueued { because, enqueued_at: second(at) }.into()
}

/// Pending and held.
pub(crate) fn held() -> Given<Task> {
    given(&[created(CreateTask { hold: true, ..create() })])
}

/// Queued at second 0.
pub(crate) fn queued() -> Given<Task> {
    given(&[created(create()), queued_at(QueuedBecause::Created, 0)])
}

/// An assignment.
pub(crate) fn assign(worker: &str) -> AssignTask {
    AssignTask { worker: worker.into() }
}

/// A start.
pub(crate) fn start(fencing_token: u32) -> StartTask {
    StartTask { fencing_token }
}

/// A retriable failure.
pub(crate) fn fail(fencing_token: u32) -> FailTask {
    FailTask { fencing_token, retriable: true, reason: "io".into(), error: Some("disk gone".into()) }
}

/// Assigned to `w-1` at second 0 with token 1.
pub(crate) fn assigned() -> Given<Task> {
    queued().when(0, assign("w-1")).is("assigned")
}

/// Running since second 1 with token 1; the lease ends at second 10.
pub(crate) fn running() -> Given<Task> {
    assigned().when(1, start(1)).is("running")
}

/// Failed at second 2 with token 1.
pub(crate) fn failed() -> Given<Task> {
    running().when(2, FailTask { retriable: false, ..fail(1) }).is("failed")
}
