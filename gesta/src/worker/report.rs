//! What happens to each task, as lines for whoever started the worker.

use std::io::Write as _;

use schemas::answer::LeasedTask;
use serde_json::json;

/// Writes one JSON object a line to standard output, or nothing.
#[derive(Debug, Clone)]
pub(super) struct Report {
    on: bool,
    worker: String,
}

impl Report {
    pub(super) fn new(on: bool, worker: &str) -> Self {
        Self { on, worker: worker.to_owned() }
    }

    /// Something happened to the worker itself.
    pub(super) fn agent(&self, what: &str) {
        self.line(&json!({ "what": what, "worker": self.worker }));
    }

    /// Something happened to a task.
    pub(super) fn task(&self, what: &str, lease: &LeasedTask) {
        tracing::info!(task = %lease.id, attempt = lease.attempt, kind = %lease.kind, what, "task");
        self.line(&json!({ "what": what, "worker": self.worker, "task": lease.id, "attempt": lease.attempt, "title": lease.title }));
    }

    /// Nobody may be left to read: that is no reason to stop working.
    fn line(&self, value: &serde_json::Value) {
        if self.on {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{value}").and_then(|()| out.flush()).ok();
        }
    }
}
