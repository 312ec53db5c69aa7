//! What later decisions need to know of an agent; model, task, capabilities and results stay in the log.

use chrono::{DateTime, Utc};
use schemas::agent::ResumeTo;
use serde::{Deserialize, Serialize};

/// The state of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// 1-based; rises with every restart.
    pub(super) incarnation: u32,
    /// Retries of this incarnation.
    pub(super) retries: u32,
    pub(super) max_retries: u32,
    pub(super) heartbeat_ms: u32,
    /// Takes no new work.
    pub(super) draining: bool,
    /// Hidden; nothing more happens to it.
    pub(super) archived: bool,
    pub(super) life: Life,
}

/// The lifecycle states of M-4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    Initializing,
    Spawning,
    Executing(Alive),
    Waiting(Waiting),
    Paused(Paused),
    Completing(Alive),
    CleaningUp(Alive),
    Completed,
    Failed,
    Killed,
}

/// Liveness of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alive {
    pub(super) until: DateTime<Utc>,
    /// `false` once its end stands in the log.
    pub(super) online: bool,
}

/// Waits for input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) alive: Alive,
    pub(super) input_deadline: Option<DateTime<Utc>>,
}

/// Paused, and what it goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paused {
    pub(super) alive: Alive,
    pub(super) resume_to: ResumeTo,
    /// Milliseconds left for the awaited input.
    pub(super) input_left_ms: Option<u64>,
}

impl Life {
    /// The stage's name in the table, in documents and in refusals.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Spawning => "spawning",
            Self::Executing(_) => "executing",
            Self::Waiting(_) => "waiting",
            Self::Paused(_) => "paused",
            Self::Completing(_) => "completing",
            Self::CleaningUp(_) => "cleaning_up",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Killed => "killed",
        }
    }

    /// Whether it has ended; a retry or a restart may bring it back.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Killed)
    }

    /// Liveness, from the start of the session to the end.
    pub(super) fn alive(&self) -> Option<Alive> {
        match self {
            Self::Executing(alive) | Self::Completing(alive) | Self::CleaningUp(alive) => Some(*alive),
            Self::Waiting(waiting) => Some(waiting.alive),
            Self::Paused(paused) => Some(paused.alive),
            _ => None,
        }
    }

    /// The same, to change it.
    pub(super) fn alive_mut(&mut self) -> Option<&mut Alive> {
        match self {
            Self::Executing(alive) | Self::Completing(alive) | Self::CleaningUp(alive) => Some(alive),
            Self::Waiting(waiting) => Some(&mut waiting.alive),
            Self::Paused(paused) => Some(&mut paused.alive),
            _ => None,
        }
    }
}
