//! What later decisions and the claim's answer need to know of a task, and nothing more: results,
//! descriptions and labels stay in the log, and a task that can no longer be worked drops its payload.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemas::task::{Priority, Stage, TaskPolicy};
use schemas::text::Personal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The state of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The newest fencing token; 0 before the first lease. It never falls, not even by a redrive.
    pub(super) issued: u32,
    /// Stale tokens whose use stands in the log already.
    pub(super) refused: Vec<u32>,
    /// How often it was redriven.
    pub(super) redrives: u32,
    pub(super) life: Life,
}

/// The life stages of M-8.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Life {
    Pending(Pending),
    Queued(Queued),
    Assigned(Assigned),
    Running(Running),
    RetryWait(RetryWait),
    Succeeded,
    Failed(Failed),
    DeadLettered(DeadLettered),
    Discarded,
    Cancelled,
    Compensating,
    Compensated,
    CompensationFailed,
}

/// What shall be done and how; shared, because it goes unchanged from state to state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) queue: String,
    pub(super) kind: String,
    pub(super) title: Personal,
    pub(super) payload: Map<String, Value>,
    pub(super) priority: Priority,
    pub(super) deadline: Option<DateTime<Utc>>,
    pub(super) policy: TaskPolicy,
}

/// Waits to be enqueued, or for its `run_at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) work: Arc<Work>,
    /// Whether someone must enqueue it.
    pub(super) held: bool,
    pub(super) run_at: Option<DateTime<Utc>>,
}

/// Waits for a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Queued {
    pub(super) work: Arc<Work>,
    /// Attempts spent since creation or redrive: those that were started.
    pub(super) attempts: u32,
    pub(super) enqueued_at: DateTime<Utc>,
}

/// Leased, not begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Assigned {
    pub(super) work: Arc<Work>,
    pub(super) lease: Lease,
}

/// Leased and begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) work: Arc<Work>,
    pub(super) lease: Lease,
    /// Percent.
    pub(super) progress: u8,
    /// Present when it shall stop.
    pub(super) cancel: Option<Box<Cancel>>,
}

/// Waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RetryWait {
    pub(super) work: Arc<Work>,
    /// Attempts spent.
    pub(super) attempts: u32,
    pub(super) next_run_at: DateTime<Utc>,
}

/// Failed for good; may be set aside and redriven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) work: Arc<Work>,
    pub(super) failure: Box<Failure>,
}

/// Set aside for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DeadLettered {
    pub(super) work: Arc<Work>,
}

/// Who works, and until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) worker: String,
    pub(super) id: Uuid,
    pub(super) token: u32,
    /// 1-based, since creation or redrive.
    pub(super) attempt: u32,
    pub(super) expires_at: DateTime<Utc>,
}

/// A cancel that the worker has not answered yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cancel {
    pub(super) reason: Option<Personal>,
    pub(super) grace_until: DateTime<Utc>,
}

/// The last failure, as a dead letter names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) reason: String,
    pub(super) error: Option<Personal>,
}

impl Life {
    /// The stage's name in the table, in documents and in refusals.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pending(_) => "pending",
            Self::Queued(_) => "queued",
            Self::Assigned(_) => "assigned",
            Self::Running(_) => "running",
            Self::RetryWait(_) => "retry_wait",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::DeadLettered(_) => "dead_lettered",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
            Self::Compensating => "compensating",
            Self::Compensated => "compensated",
            Self::CompensationFailed => "compensation_failed",
        }
    }

    /// The live lease.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Assigned(assigned) => Some(&assigned.lease),
            Self::Running(running) => Some(&running.lease),
            _ => None,
        }
    }

    /// The work while it has not ended.
    pub(super) fn open_work(&self) -> Option<&Work> {
        match self {
            Self::Pending(pending) => Some(&pending.work),
            Self::Queued(queued) => Some(&queued.work),
            Self::Assigned(assigned) => Some(&assigned.work),
            Self::Running(running) => Some(&running.work),
            Self::RetryWait(waiting) => Some(&waiting.work),
            _ => None,
        }
    }
}
