//! Attempts: the read model `task_attempts`, one row per lease.

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};
use migrations::TaskAttemptsRow;

/// One lease of a task, from its grant to its end.
#[derive(Clone)]
pub(crate) struct TaskAttempt(pub(super) TaskAttemptsRow);

/// One lease of a task, from its grant to its end.
#[Object]
impl TaskAttempt {
    /// Id of the lease.
    async fn lease_id(&self) -> ID {
        self.0.lease_id.into()
    }
    /// Token of the lease; rises with every lease of the task.
    async fn fencing_token(&self) -> i64 {
        self.0.fencing_token
    }
    /// 1-based attempt since creation or redrive.
    async fn attempt(&self) -> i64 {
        self.0.attempt
    }
    /// Who held it.
    async fn worker(&self) -> &str {
        &self.0.worker
    }
    /// `assigned`, `running` or `ended`.
    async fn state(&self) -> &str {
        &self.0.state
    }
    /// How it ended: `succeeded`, `failed`, `lease_expired`, `released`, `cancelled` or `timed_out`.
    async fn outcome(&self) -> Option<&str> {
        self.0.outcome.as_deref()
    }
    /// When it was granted.
    async fn assigned_at(&self) -> DateTime<Utc> {
        self.0.assigned_at
    }
    /// The lease runs, or ran, to this instant.
    async fn lease_expires_at(&self) -> DateTime<Utc> {
        self.0.lease_expires_at
    }
    /// How often it was renewed.
    async fn renewals(&self) -> i64 {
        self.0.renewals
    }
    /// When the work began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }
    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.0.ended_at
    }
    /// Milliseconds from start to end, once both happened.
    async fn duration_ms(&self) -> Option<i64> {
        self.0.duration_ms
    }
    /// Percent done.
    async fn progress(&self) -> i32 {
        self.0.progress
    }
    /// Where it failed: `execute`, `timeout` or `compensate`.
    async fn failure_stage(&self) -> Option<&str> {
        self.0.failure_stage.as_deref()
    }
    /// Short reason of the failure.
    async fn failure_reason(&self) -> Option<&str> {
        self.0.failure_reason.as_deref()
    }
    /// Error text for people.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }
}
