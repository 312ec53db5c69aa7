//! Commands as an edge would hand them in.

pub(crate) mod releases;

use std::time::Duration;

use command_service::command::{Accepted, Answer, AnyCommand, Submission};
use command_service::principal::Principal;
use command_service::service::{Service, ServiceOptions};
use event_log::{Log, MemoryOptions};
use schemas::commit::Actor;
use schemas::ids::{AggregateId, Route, Stream, Tenant};
use schemas::task::{ClaimTasks, CompleteTask, CreateTask, StartTask, TaskCommand};

/// Longer than any answer takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

/// A log in memory with four shards.
pub(crate) fn memory() -> Log {
    Log::memory(MemoryOptions { shards: 4, ..MemoryOptions::default() })
}

/// A service that takes commands.
pub(crate) async fn serving(log: &Log) -> Service {
    let service = Service::start(log, &ServiceOptions::default()).unwrap();
    let status = service.ready().await;
    assert!(status.is_ready(), "{status:?}");
    service
}

/// A submission of `command` to `home` under the key `key`.
pub(crate) fn submission(home: &Stream, key: &str, command: impl Into<TaskCommand>) -> Submission {
    let command = AnyCommand::Task(command.into());
    let AnyCommand::Task(task) = &command else { unreachable!() };
    let body = serde_json::to_string(task).unwrap();
    Submission {
        command_id: key.to_owned(),
        body_hash: command_service::shard::receipts::body_hash(
            format!("{}{body}", command.name()).as_bytes(),
        ),
        command,
        home: home.clone(),
        principal: Principal { tenant: tenant(), actor: Actor { kind: "user".into(), id: "local".into() } },
        correlation: format!("correlation-{key}"),
        causation: key.to_owned(),
        trace: None,
        expected: None,
        dry_run: false,
    }
}

/// The stream that creation `key` in `queue` makes.
pub(crate) fn task(queue: &str, key: &str) -> Stream {
    let route = Route::of(&tenant(), queue);
    Stream::of(&tenant(), "task", AggregateId::derive(&tenant(), "task", route, key))
}

pub(crate) fn create(queue: &str, key: &str) -> Submission {
    let body = serde_json::json!({ "queue": queue, "type": "inventory", "title": key });
    let body: CreateTask = serde_json::from_value(body).unwrap();
    submission(&task(queue, key), key, body)
}

pub(crate) fn claim(queues: &[&str], key: &str, max: u32, wait: Duration) -> Submission {
    let home = Stream::new(&tenant(), "queue", queues[0]).unwrap();
    let body = ClaimTasks {
        worker: format!("worker-{key}"),
        queues: queues.iter().map(|&queue| queue.to_owned()).collect(),
        max,
        wait: u32::try_from(wait.as_millis()).unwrap(),
    };
    submission(&home, key, body)
}

pub(crate) fn start(task: &Stream, key: &str, fencing_token: u32) -> Submission {
    submission(task, key, StartTask { fencing_token })
}

pub(crate) fn complete(task: &Stream, key: &str, fencing_token: u32) -> Submission {
    submission(task, key, CompleteTask { fencing_token, result: serde_json::Map::new() })
}

/// The acceptance, or a panic that shows the answer.
pub(crate) fn accepted(answer: Answer) -> Accepted {
    match answer {
        Answer::Accepted(accepted) => *accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

/// Submits and expects an acceptance.
pub(crate) async fn done(service: &Service, submission: Submission) -> Accepted {
    accepted(service.submit(submission, PATIENCE).await)
}
