//! What a task asks for, by its type, and what the work shares with the lease that it is done under.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::runtime::Handle;

use super::{index, inventory};
use crate::client::{CallError, Client};

/// Longest pause between two looks at whether to stop.
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// Shared between the execution and the thread that works.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// The work shall stop.
    pub(super) stop: AtomicBool,
    /// Percent done.
    pub(super) progress: AtomicU8,
}

impl Gauge {
    /// Waits until an instant.
    ///
    /// # Errors
    /// [`WorkError::Stopped`] as soon as the work shall stop.
    pub(super) fn await_turn(&self, due: Instant) -> Result<(), WorkError> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(WorkError::Stopped);
            }
            let wait = due.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(());
            }
            std::thread::sleep(wait.min(MAX_PAUSE));
        }
    }

    /// Says how much of `all` is done.
    pub(super) fn reach(&self, done: u64, all: u64) {
        let percent = done * 100 / all.max(done).max(1);
        self.progress.store(u8::try_from(percent).unwrap_or(100), Ordering::Relaxed);
    }
}

/// Why a task was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkError {
    #[error("this worker does tasks of type inventory and index, not {0:?}")]
    UnknownKind(String),
    #[error("the payload is not that of its type: {0}")]
    Payload(serde_json::Error),
    #[error("{} is no folder that this worker can read: {error}", repo.display())]
    Repo { repo: PathBuf, error: io::Error },
    #[error("the repository could not be walked: {0}")]
    Walk(ignore::Error),
    #[error("the worker was told to stop")]
    Stopped,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the task was cancelled")]
    Cancelled,
    #[error("the work broke off: {0}")]
    Broken(String),
}

impl WorkError {
    /// Short reason, the same for equal failures.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::UnknownKind(_) => "unknown_type",
            Self::Payload(_) => "invalid_payload",
            Self::Repo { .. } => "repository_unreadable",
            Self::Walk(_) => "walk_failed",
            Self::Call(_) => "service_unreachable",
            Self::Stopped => "worker_stopped",
            Self::Cancelled => "cancelled",
            Self::Broken(_) => "work_broke_off",
        }
    }

    /// Whether another attempt, perhaps by another worker, may succeed.
    pub(super) fn retriable(&self) -> bool {
        !matches!(self, Self::UnknownKind(_) | Self::Payload(_))
    }
}

/// The order that a payload holds.
///
/// # Errors
/// [`WorkError::Payload`].
pub(super) fn order<T: DeserializeOwned>(payload: &Map<String, Value>) -> Result<T, WorkError> {
    serde_json::from_value(Value::Object(payload.clone())).map_err(WorkError::Payload)
}

/// Does the work of one task on this thread, one that may wait.
pub(super) fn perform(
    kind: &str,
    payload: &Map<String, Value>,
    gauge: &Gauge,
    client: &Client,
    runtime: &Handle,
) -> Result<Map<String, Value>, WorkError> {
    match kind {
        "inventory" => object(inventory::perform(payload, gauge)?),
        "index" => object(index::perform(payload, gauge, client, runtime)?),
        other => Err(WorkError::UnknownKind(other.to_owned())),
    }
}

fn object(result: impl Serialize) -> Result<Map<String, Value>, WorkError> {
    match serde_json::to_value(result) {
        Ok(Value::Object(result)) => Ok(result),
        _ => Err(WorkError::Broken("the result is no JSON object".to_owned())),
    }
}
