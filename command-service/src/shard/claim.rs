//! A claim: the most urgent tasks of one queue, leased in one commit.

use chrono::{DateTime, Utc};
use schemas::commit::MAX_COMMIT_EVENTS;
use schemas::ids::Stream;
use schemas::task::{AssignTask, ClaimTasks, TaskCommand};

use super::receipts::Fact;
use super::streams::{Entry, Streams};
use crate::aggregates::{Context, registry};
use crate::command::{AnyCommand, Submission};

/// A claim, if the command is one.
pub(super) fn claim_of(submission: &Submission) -> Option<&ClaimTasks> {
    match &submission.command {
        AnyCommand::Task(TaskCommand::ClaimTasks(claim)) => Some(claim),
        _ => None,
    }
}

/// The leases that `claim` gets of the queue whose stream is `home`; none when nothing waits there.
/// `view` says which state of a stream decides.
pub(super) fn grant<'a>(
    streams: &'a Streams,
    view: impl Fn(&'a Streams, &Stream) -> Option<&'a Entry>,
    claim: &ClaimTasks,
    home: &Stream,
    actor: &str,
    at: DateTime<Utc>,
) -> Vec<Fact> {
    let max = usize::try_from(claim.max).unwrap_or(usize::MAX).min(MAX_COMMIT_EVENTS);
    let command: AnyCommand = AnyCommand::Task(AssignTask { worker: claim.worker.clone() }.into());
    let mut facts = Vec::new();
    for stream in streams.dispatch.pick(home, at, max) {
        let Some(entry) = view(streams, &stream) else { continue };
        let context = Context { stream: &stream, actor, at };
        let events = registry::decide(Some(&entry.state), &command, context).unwrap_or_default();
        let numbered = events.into_iter().zip(entry.version + 1..);
        facts.extend(numbered.map(|(event, version)| Fact { stream: stream.clone(), version, event }));
    }
    facts
}
