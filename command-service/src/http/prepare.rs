//! From a body that was read to a submission: schema, version, type, queue, home stream, hash.

use schemas::contract::{Address, CommandType};
use schemas::ids::{AggregateId, Route, Stream, Tenant};
use schemas::problem::Code;
use schemas::task::{CreateTask, TaskCommand};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::catalogue;
use super::config::EdgeConfig;
use super::head::Head;
use super::rejection::Rejection;
use crate::command::{AnyCommand, Expected, Submission};

/// Makes a submission of one command. `id` is the text of the path or of the batch's line.
///
/// # Errors
/// The problem that the client is told.
pub(super) fn prepare(
    config: &EdgeConfig,
    head: &Head,
    command: &'static CommandType,
    key: String,
    id: Option<&str>,
    mut body: Value,
) -> Result<Submission, Rejection> {
    let named = id.map(|id| aggregate(&head.principal.tenant, command, id)).transpose()?;
    catalogue::validate(command, &body)?;
    // The keys of an object are sorted, so equal bodies have equal texts.
    let mut canonical = body.to_string();
    let body_hash = hash(command.name, &canonical);
    let mut expected = head.expected;
    if let Some(version) = body.as_object_mut().and_then(|body| body.remove("expectedVersion")) {
        if expected.is_some() {
            let detail = "If-Match and expectedVersion ask the same in two ways; send one of them";
            return Err(Rejection::at(Code::InvalidHeader, "/expectedVersion", detail));
        }
        expected = version.as_u64().map(Expected::Body);
        canonical = body.to_string();
    }
    let mut typed = catalogue::decode(command, &canonical)?;
    resolve_queues(config, &mut typed)?;
    let home = match named {
        Some(stream) => stream,
        None => home(&head.principal.tenant, command, &typed, &key),
    };
    Ok(Submission {
        command: typed,
        causation: head.causation.clone().unwrap_or_else(|| key.clone()),
        command_id: key,
        body_hash,
        home,
        principal: head.principal.clone(),
        correlation: head.correlation.clone(),
        trace: head.trace.clone(),
        expected,
        dry_run: head.dry_run,
    })
}

/// The stream of an aggregate that exists. Every id of ours is a UUID of version 8.
fn aggregate(tenant: &Tenant, command: &CommandType, id: &str) -> Result<Stream, Rejection> {
    let id: AggregateId = id.parse().map_err(|error: schemas::ids::NotAnId| {
        let shown: String = error.to_string().chars().take(120).collect();
        Rejection::new(Code::InvalidId, shown)
    })?;
    Ok(Stream::of(tenant, command.aggregate, id))
}

/// The first 128 bits of SHA-256 over command type and canonical body.
fn hash(command: &str, canonical: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(command.as_bytes());
    digest.update([0]);
    digest.update(canonical.as_bytes());
    let digest = digest.finalize();
    digest[..16]
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

/// Fills in what a task's creator left to the queue, so that no decision reads configuration.
fn resolve_queues(config: &EdgeConfig, command: &mut AnyCommand) -> Result<(), Rejection> {
    match command {
        AnyCommand::Task(TaskCommand::CreateTask(CreateTask { queue, policy, .. })) => {
            let defaults =
                config.queues.defaults(queue).ok_or_else(|| unknown_queue(config, "/queue", queue))?;
            *policy = policy.or(defaults);
            Ok(())
        }
        AnyCommand::Task(TaskCommand::ClaimTasks(claim)) => {
            let unknown =
                claim.queues.iter().enumerate().find(|(_, queue)| config.queues.defaults(queue).is_none());
            match unknown {
                Some((index, queue)) => Err(unknown_queue(config, &format!("/queues/{index}"), queue)),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn unknown_queue(config: &EdgeConfig, pointer: &str, queue: &str) -> Rejection {
    let message = format!("there is no queue {queue:?}; there are: {}", config.queues.names());
    Rejection::at(Code::UnknownQueue, pointer, message)
}

/// The home stream of a command that names no aggregate. A creation's id derives from its key, so
/// that its retry meets the same stream; a claim is at home in its first queue.
fn home(tenant: &Tenant, command: &CommandType, typed: &AnyCommand, key: &str) -> Stream {
    let route = match typed {
        AnyCommand::Task(TaskCommand::ClaimTasks(claim)) => {
            let queue = claim.queues.first().expect("the schema asks for one queue at least");
            return Stream::new(tenant, "queue", queue)
                .expect("the schema gives a queue the form of a stream's part");
        }
        AnyCommand::Task(TaskCommand::CreateTask(task)) => Route::of(tenant, &task.queue),
        _ => {
            debug_assert_eq!(command.address, Address::Create, "every other command names its aggregate");
            Route::of(tenant, &format!("{}/{key}", command.aggregate))
        }
    };
    Stream::of(tenant, command.aggregate, AggregateId::derive(tenant, command.aggregate, route, key))
}
