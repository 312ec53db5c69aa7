//! What the parts of the process say about themselves, for `/readyz` and `/startupz`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// How a part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Condition {
    /// It has not been ready yet.
    Starting {
        /// What it waits for.
        reason: String,
    },
    /// It does its work.
    Ready,
    /// It was ready, and is not now.
    Failing {
        /// Why, and what to do.
        reason: String,
    },
}

/// The parts of this process. Cheap to clone; the clones share the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    parts: BTreeMap<&'static str, Condition>,
    draining: bool,
}

/// The answer of `/readyz`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Readiness {
    /// Whether every part is ready and the process is not stopping.
    pub(crate) ready: bool,
    /// Whether every part was ready once.
    pub(crate) started: bool,
    /// Whether the process is stopping.
    pub(crate) draining: bool,
    /// Each part.
    pub(crate) parts: BTreeMap<&'static str, Condition>,
}

impl Health {
    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        // The state is whole after every statement, so a panic elsewhere leaves nothing half done.
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A part that is not ready yet.
    pub(crate) fn starting(&self, part: &'static str, reason: impl Into<String>) {
        self.with(|inner| inner.parts.insert(part, Condition::Starting { reason: reason.into() }));
    }

    /// A part is ready.
    pub(crate) fn ready(&self, part: &'static str) {
        let before = self.with(|inner| inner.parts.insert(part, Condition::Ready));
        if before.is_none_or(|before| before != Condition::Ready) {
            tracing::info!(part, "ready");
        }
    }

    /// A part is not ready for `reason`; whether it ever was decides how that is called.
    pub(crate) fn waiting(&self, part: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        let (news, was_ready) = self.with(|inner| {
            let next = match inner.parts.get(part) {
                Some(Condition::Ready | Condition::Failing { .. }) => {
                    Condition::Failing { reason: reason.clone() }
                }
                _ => Condition::Starting { reason: reason.clone() },
            };
            let was_ready = matches!(next, Condition::Failing { .. });
            (inner.parts.insert(part, next.clone()).is_none_or(|before| before != next), was_ready)
        });
        match (news, was_ready) {
            (true, true) => tracing::warn!(part, %reason, "not ready any more"),
            (true, false) => tracing::info!(part, %reason, "not ready yet"),
            (false, _) => {}
        }
    }

    /// The process is stopping: not ready from now on.
    pub(crate) fn drain(&self) {
        self.with(|inner| inner.draining = true);
    }

    /// How everything is.
    pub(crate) fn readiness(&self) -> Readiness {
        self.with(|inner| Readiness {
            ready: !inner.draining
                && !inner.parts.is_empty()
                && inner.parts.values().all(|part| *part == Condition::Ready),
            started: !inner.parts.is_empty()
                && !inner.parts.values().any(|part| matches!(part, Condition::Starting { .. })),
            draining: inner.draining,
            parts: inner.parts.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_every_part_and_started_only_once() {
        let health = Health::default();
        health.starting("log", "opening");
        assert!(!health.readiness().ready && !health.readiness().started);
        health.ready("log");
        assert!(health.readiness().ready && health.readiness().started);
        health.waiting("log", "the disk is full");
        assert!(!health.readiness().ready && health.readiness().started, "it had started");
        health.ready("log");
        health.drain();
        assert!(!health.readiness().ready);
    }
}
