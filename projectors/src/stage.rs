//! The states that events lead to (M-4, M-8).

use schemas::agent::{AgentEvent, ResumeTo};
use schemas::dead_letter::DeadLetterEvent;
use schemas::repository::RepositoryEvent;
use schemas::source_file::SourceFileEvent;
use schemas::task::TaskEvent;
use serde::Serialize;

use crate::event::Body;

/// The state after an event, given the one before; `None` when the event changes none.
#[must_use]
pub fn after(before: Option<&str>, body: &Body) -> Option<&'static str> {
    let after = match body {
        Body::Task(event) => task(event),
        Body::Agent(AgentEvent::AgentKilled(_)) if before == Some("completed") => None,
        Body::Agent(event) => agent(event),
        Body::DeadLetter(DeadLetterEvent::DeadLetterDiscarded(_)) => Some("discarded"),
        Body::Repository(RepositoryEvent::RepositoryRegistered(_))
        | Body::SourceFile(SourceFileEvent::SourceFileRegistered(_)) => Some("registered"),
        Body::Repository(RepositoryEvent::RepositoryRetired(_)) => Some("retired"),
        Body::SourceFile(SourceFileEvent::SourceFileIndexed(_)) => Some("indexed"),
        Body::SourceFile(SourceFileEvent::SourceFileRemoved(_)) => Some("removed"),
    };
    after.filter(|after| before != Some(after))
}

fn task(event: &TaskEvent) -> Option<&'static str> {
    use TaskEvent as E;
    Some(match event {
        E::TaskCreated(_) => "pending",
        E::TaskQueued(_) => "queued",
        E::TaskAssigned(_) => "assigned",
        E::TaskStarted(_) => "running",
        E::RetryScheduled(_) => "retry_wait",
        E::TaskSucceeded(_) => "succeeded",
        E::TaskFailed(_) | E::TaskTimedOut(_) => "failed",
        E::TaskCancelled(_) => "cancelled",
        E::TaskDeadLettered(_) => "dead_lettered",
        E::TaskDiscarded(_) => "discarded",
        E::CompensationStarted(_) => "compensating",
        E::TaskCompensated(_) => "compensated",
        E::CompensationFailed(_) => "compensation_failed",
        // What an expiry, a release or a redrive leads to stands in the event after it.
        E::LeaseExpired(_)
        | E::TaskReleased(_)
        | E::TaskRedriven(_)
        | E::TaskUpdated(_)
        | E::HoldLifted(_)
        | E::TaskProgressed(_)
        | E::LeaseRenewed(_)
        | E::TaskCancelRequested(_)
        | E::StaleTokenRefused(_) => return None,
    })
}

fn agent(event: &AgentEvent) -> Option<&'static str> {
    use AgentEvent as E;
    Some(match event {
        E::AgentSpawnRequested(_) | E::AgentRestarted(_) => "initializing",
        E::WorktreeCreated(_) => "spawning",
        E::SessionStarted(_) | E::InputReceived(_) | E::AgentRetried(_) => "executing",
        E::InputAwaited(_) => "waiting",
        E::AgentPaused(_) => "paused",
        E::AgentResumed(resumed) => match resumed.to {
            ResumeTo::Executing => "executing",
            ResumeTo::Waiting => "waiting",
        },
        E::CompletionStarted(_) => "completing",
        E::ResultCommitted(_) => "cleaning_up",
        E::AgentCompleted(_) => "completed",
        E::WorktreeFailed(_)
        | E::SpawnFailed(_)
        | E::InputTimedOut(_)
        | E::AgentFailed(_)
        | E::CleanupFailed(_) => "failed",
        E::AgentKilled(_) => "killed",
        E::AgentArchived(_)
        | E::HeartbeatRecorded(_)
        | E::AgentWentOffline(_)
        | E::DrainStarted(_)
        | E::CapabilitiesDeclared(_) => return None,
    })
}

/// The name of a unit variant, as it stands in events.
pub(crate) fn name_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a unit variant serialises to its name, not to {other:?}"),
    }
}
