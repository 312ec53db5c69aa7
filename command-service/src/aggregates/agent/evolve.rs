//! How events change an agent.

use chrono::{DateTime, Utc};
use schemas::agent::{AgentEvent as E, AgentPaused, AgentResumed, AgentSpawnRequested, ResumeTo};

use super::state::{Agent, Alive, Life, Paused, Waiting};

impl Agent {
    /// The state after the first event.
    pub(super) fn requested(event: &AgentSpawnRequested) -> Self {
        Self {
            incarnation: 1,
            retries: 0,
            max_retries: event.max_retries,
            heartbeat_ms: event.heartbeat_ms,
            draining: false,
            archived: false,
            life: Life::Initializing,
        }
    }

    /// The state after a later event.
    pub(super) fn apply(mut self, event: &E) -> Self {
        if self.archived {
            return self;
        }
        match event {
            E::AgentRetried(retried) if self.life == Life::Failed => self.retries = retried.retry_count,
            E::AgentRestarted(restarted) if self.life.is_ended() => {
                self.incarnation = restarted.incarnation;
                self.retries = 0;
                self.draining = false;
            }
            E::AgentArchived(_) if self.life.is_ended() => self.archived = true,
            E::DrainStarted(_) if !self.life.is_ended() => self.draining = true,
            E::HeartbeatRecorded(heartbeat) => self.set_alive(alive(heartbeat.alive_until)),
            E::AgentWentOffline(offline) => {
                self.set_alive(Alive { until: offline.last_alive_until, online: false });
            }
            _ => {}
        }
        Self { life: self.life.next(event), ..self }
    }

    fn set_alive(&mut self, to: Alive) {
        if let Some(alive) = self.life.alive_mut() {
            *alive = to;
        }
    }
}

impl Life {
    fn next(self, event: &E) -> Self {
        match (self, event) {
            (Self::Initializing, E::WorktreeCreated(_)) => Self::Spawning,
            (Self::Initializing, E::WorktreeFailed(_))
            | (Self::Spawning, E::SpawnFailed(_))
            | (Self::Waiting(_), E::InputTimedOut(_))
            | (Self::Executing(_) | Self::Paused(_), E::AgentFailed(_))
            | (Self::Completing(_) | Self::CleaningUp(_), E::CleanupFailed(_)) => Self::Failed,
            (Self::Spawning, E::SessionStarted(started)) => Self::Executing(alive(started.alive_until)),
            (Self::Failed, E::AgentRetried(retried)) => Self::Executing(alive(retried.alive_until)),
            (Self::Executing(alive), E::InputAwaited(awaited)) => {
                Self::Waiting(Waiting { alive, input_deadline: awaited.input_deadline })
            }
            (Self::Waiting(waiting), E::InputReceived(_)) => Self::Executing(waiting.alive),
            (Self::Executing(alive), E::AgentPaused(paused)) => pause(alive, paused),
            (Self::Waiting(waiting), E::AgentPaused(paused)) => pause(waiting.alive, paused),
            (Self::Paused(paused), E::AgentResumed(resumed)) => resume(paused.alive, resumed),
            (Self::Executing(alive), E::CompletionStarted(_)) => Self::Completing(alive),
            (Self::Paused(paused), E::CompletionStarted(_)) => Self::Completing(paused.alive),
            (Self::Completing(alive), E::ResultCommitted(_)) => Self::CleaningUp(alive),
            (Self::Completing(_) | Self::CleaningUp(_), E::AgentCompleted(_)) => Self::Completed,
            (Self::Completed, E::AgentKilled(_)) => Self::Completed,
            (_, E::AgentKilled(_)) => Self::Killed,
            (Self::Completed | Self::Failed | Self::Killed, E::AgentRestarted(_)) => Self::Initializing,
            (life, _) => life,
        }
    }
}

fn alive(until: DateTime<Utc>) -> Alive {
    Alive { until, online: true }
}

fn pause(alive: Alive, event: &AgentPaused) -> Life {
    Life::Paused(Paused { alive, resume_to: event.resume_to, input_left_ms: event.input_left_ms })
}

fn resume(alive: Alive, event: &AgentResumed) -> Life {
    match event.to {
        ResumeTo::Executing => Life::Executing(alive),
        ResumeTo::Waiting => Life::Waiting(Waiting { alive, input_deadline: event.input_deadline }),
    }
}
