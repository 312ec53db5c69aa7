//! Answers as JSON.

use schemas::answer::{ClaimAnswer, CommandAnswer, FieldError, LeasedTask, Problem, WrittenEvent};
use schemas::contract::{Address, CommandType};
use schemas::problem::Code;
use serde::Serialize;

use super::rejection::Rejection;
use crate::aggregates::Refusal;
use crate::command::{Accepted, Answer, Lease};

/// What a command that took effect is answered with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body {
    /// A claim.
    Claim(ClaimAnswer),
    /// Any other.
    Command(Box<CommandAnswer>),
}

/// A command that took effect.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Whether it is the stored answer of an earlier try.
    pub(super) replayed: bool,
    /// Version for the `ETag`; none for a claim.
    pub(super) version: Option<u64>,
    /// Address of a created aggregate.
    pub(super) location: Option<String>,
    pub(super) body: Body,
}

/// Turns a shard's answer into the client's.
///
/// # Errors
/// The problem, when the command did not take effect or nobody knows.
pub(super) fn reply(
    command: &CommandType,
    dry_run: bool,
    key: &str,
    answer: Answer,
) -> Result<Reply, Rejection> {
    match answer {
        Answer::Accepted(accepted) => Ok(accept(command, dry_run, *accepted)),
        Answer::Refused(refusal) => Err(Rejection(Box::new(refused(refusal))).with_key(key)),
        Answer::Failed { code, detail } => Err(Rejection::new(code, detail).with_key(key)),
        Answer::Unknown => {
            let detail = "the proof did not come in time; whether the command took effect is open";
            Err(Rejection::new(Code::OutcomeUnknown, detail).with_key(key))
        }
    }
}

fn accept(command: &CommandType, dry_run: bool, accepted: Accepted) -> Reply {
    let (replayed, position) = (accepted.replayed, accepted.position.to_string());
    let mut tasks: Vec<LeasedTask> = accepted.leases.into_iter().map(leased).collect();
    if matches!(command.address, Address::Collection(_)) {
        let body = Body::Claim(ClaimAnswer { tasks, position, dry_run });
        return Reply { status: 200, replayed, version: None, location: None, body };
    }
    let creates = command.address == Address::Create && !dry_run;
    let id = accepted.stream.id();
    let event = |event: crate::command::EventSummary| WrittenEvent {
        id: event.id,
        kind: event.kind,
        version: event.version,
    };
    Reply {
        status: if creates { 201 } else { 200 },
        replayed,
        version: (!dry_run).then_some(accepted.version),
        location: creates.then(|| format!("{}/{}/{id}", schemas::endpoint::API, command.collection)),
        body: Body::Command(Box::new(CommandAnswer {
            aggregate_id: id.to_owned(),
            version: accepted.version,
            events: accepted.events.into_iter().map(event).collect(),
            position,
            runs_until: accepted.runs_until,
            grace_until: accepted.grace_until,
            task: tasks.pop(),
            dry_run,
        })),
    }
}

fn leased(lease: Lease) -> LeasedTask {
    LeasedTask {
        id: lease.task.id().to_owned(),
        version: lease.version,
        fencing_token: lease.fencing_token,
        lease_id: lease.lease_id,
        lease_expires_at: lease.lease_expires_at,
        lease_ms: lease.lease_ms,
        attempt: lease.attempt,
        queue: lease.queue,
        kind: lease.kind,
        title: lease.title,
        payload: lease.payload,
    }
}

fn refused(refusal: Refusal) -> Problem {
    let mut problem = Problem::new(refusal.code(), refusal.to_string());
    match refusal {
        Refusal::Transition { stage, allowed, .. } => {
            problem.state = Some(stage.into());
            problem.allowed = Some(allowed.into_iter().map(str::to_owned).collect());
        }
        Refusal::Guard { field, reason } => {
            problem.errors.push(FieldError { pointer: field.into(), message: reason });
        }
        Refusal::StaleToken { current, .. } => problem.current_token = Some(current),
        Refusal::VersionConflict { expected, actual } | Refusal::PreconditionFailed { expected, actual } => {
            problem.expected_version = Some(expected);
            problem.actual_version = Some(actual);
        }
        Refusal::NotFound { .. }
        | Refusal::AlreadyExists { .. }
        | Refusal::ForeignToken { .. }
        | Refusal::KeyReused => {}
    }
    problem
}
