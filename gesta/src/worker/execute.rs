//! One leased task from its start to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use schemas::answer::LeasedTask;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::report::Report;
use super::work::{self, Gauge, WorkError};
use crate::client::{CallError, Client, Reply};

/// How a task ended for this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its result was handed in.
    Succeeded,
    /// Its failure was handed in.
    Failed,
    /// The lease is no longer this worker's.
    Lost,
    /// It was cancelled, and the worker has said that it stopped.
    Cancelled,
    /// It was given back before it began.
    Released,
}

/// A leased task and what its execution needs.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) client: Client,
    pub(super) lease: LeasedTask,
    pub(super) progress_every: Duration,
    pub(super) give_up: CancellationToken,
    pub(super) report: Report,
}

/// Stops the work when the execution ends, however it ends.
struct StopOnDrop(Arc<Gauge>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Execution {
    /// Works on the task.
    pub(super) async fn run(self) -> Outcome {
        let outcome = match self.attempt().await {
            Ok(outcome) => outcome,
            Err(error) => self.refused(&error),
        };
        self.report.task(
            match outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::Failed => "failed",
                Outcome::Lost => "lost",
                Outcome::Cancelled => "cancelled",
                Outcome::Released => "released",
            },
            &self.lease,
        );
        outcome
    }

    async fn attempt(&self) -> Result<Outcome, CallError> {
        if self.give_up.is_cancelled() {
            self.act("release", json!({ "reason": "the worker is stopping" })).await?;
            return Ok(Outcome::Released);
        }
        self.act("start", json!({})).await?;
        self.report.task("started", &self.lease);
        match self.work().await? {
            Ok(result) => {
                self.act("complete", json!({ "result": result })).await?;
                Ok(Outcome::Succeeded)
            }
            Err(WorkError::Cancelled) => {
                self.act("acknowledge-cancel", json!({})).await?;
                Ok(Outcome::Cancelled)
            }
            Err(error) => {
                let body = json!({ "retriable": error.retriable(), "reason": error.reason(), "error": error.to_string() });
                self.act("fail", body).await?;
                Ok(Outcome::Failed)
            }
        }
    }

    /// Keeps the lease and reports progress while a thread works. The outer error ends the task.
    async fn work(&self) -> Result<Result<Map<String, Value>, WorkError>, CallError> {
        let gauge = Arc::new(Gauge::default());
        let _stop = StopOnDrop(Arc::clone(&gauge));
        let (kind, payload) = (self.lease.kind.clone(), self.lease.payload.clone());
        let thread = Arc::clone(&gauge);
        let (client, runtime) = (self.client.clone(), Handle::current());
        let work = move || work::perform(&kind, &payload, &thread, &client, &runtime);
        let mut work = tokio::task::spawn_blocking(work);
        // A third: the service renews only when half is over, so every second renewal writes.
        let third = Duration::from_millis(self.lease.lease_ms.into()) / 3;
        let patient = self.client.with_patience(third);
        let (mut renewals, mut reports) = (every(third), every(self.progress_every));
        let (mut renewed, mut reported) = (0_u32, 0_u8);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done.unwrap_or_else(|error| Err(WorkError::Broken(error.to_string())))),
                _ = renewals.tick() => {
                    renewed += 1;
                    let sent = self.send(&patient, "renew", &format!("{renewed}"), json!({})).await;
                    if self.keep(sent)?.is_some_and(|answer| answer.body["graceUntil"].is_string()) {
                        return Ok(Err(WorkError::Cancelled));
                    }
                }
                _ = reports.tick() => {
                    let progress = gauge.progress.load(Ordering::Relaxed).min(99);
                    if progress > reported {
                        reported = progress;
                        self.keep(self.send(&patient, "progress", &format!("{progress}"), json!({ "progress": progress })).await)?;
                    }
                }
                () = self.give_up.cancelled(), if !gauge.stop.load(Ordering::Relaxed) => gauge.stop.store(true, Ordering::Relaxed),
            }
        }
    }

    /// A service that cannot be reached now may be there before the lease is over; a refusal is final.
    fn keep(&self, sent: Result<Reply, CallError>) -> Result<Option<Reply>, CallError> {
        match sent {
            Err(error) if error.retryable() => {
                tracing::warn!(task = %self.lease.id, %error, "the lease could not be renewed yet");
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    async fn act(&self, verb: &str, body: Value) -> Result<(), CallError> {
        self.send(&self.client, verb, "", body).await.map(drop)
    }

    /// The key names task, lease and verb, so a repetition is the same command.
    async fn send(
        &self,
        client: &Client,
        verb: &str,
        what: &str,
        mut body: Value,
    ) -> Result<Reply, CallError> {
        let LeasedTask { id, fencing_token, .. } = &self.lease;
        body["fencingToken"] = json!(fencing_token);
        let key = format!("{verb}{what}-{fencing_token}-{id}");
        client.command(&format!("tasks/{id}/{verb}"), &key, &body).await
    }

    /// What a refused command means for the task.
    fn refused(&self, error: &CallError) -> Outcome {
        match error.code() {
            Some("stale_fencing_token" | "lease_held_by_other" | "transition_refused") => {
                tracing::info!(task = %self.lease.id, token = self.lease.fencing_token, "the lease is no longer ours");
            }
            _ => {
                tracing::error!(task = %self.lease.id, %error, "the task cannot go on; its lease will run out")
            }
        }
        Outcome::Lost
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
