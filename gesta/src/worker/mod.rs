//! The worker: an agent that claims tasks over HTTP, works on them under a lease, hands in results.
//!
//! It speaks the public HTTP interface and nothing else, so a worker in any language can do the
//! same; docs/writing-a-worker.md shows one.

mod agent;
mod args;
mod claims;
mod code;
mod execute;
pub(crate) mod index;
pub(crate) mod inventory;
mod language;
mod limit;
mod report;
pub(crate) mod walk;
mod work;

use std::sync::Arc;
use std::time::Duration;

use schemas::answer::LeasedTask;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{CallError, Client};
use agent::Agent;
pub(crate) use args::WorkerArgs;
use claims::Claims;
use execute::{Execution, Outcome};
use limit::Limit;
use report::Report;

/// How a worker works.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Queues in the order in which they are tried.
    pub(crate) queues: Vec<String>,
    /// Most tasks at once.
    pub(crate) concurrency: u32,
    /// Most claimed tasks per second.
    pub(crate) claims_per_second: u32,
    /// How long one claim waits for a task.
    pub(crate) wait: Duration,
    /// Name for people.
    pub(crate) label: String,
    /// The agent counts as offline this long after its last heartbeat.
    pub(crate) heartbeat: Duration,
    /// Least time between two progress reports of a task.
    pub(crate) progress_every: Duration,
    /// How long running tasks may go on after the worker was told to stop.
    pub(crate) grace: Duration,
    /// End when the queues stay empty.
    pub(crate) once: bool,
    /// Write what happens to each task to standard output, one JSON object a line.
    pub(crate) ndjson: bool,
}

/// What a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Tasks completed.
    pub(crate) succeeded: u64,
    /// Tasks handed back as failed.
    pub(crate) failed: u64,
    /// Tasks whose lease went to another worker, that were cancelled, or given back unworked.
    pub(crate) given_up: u64,
}

impl Totals {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Succeeded => self.succeeded += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Lost | Outcome::Cancelled | Outcome::Released => self.given_up += 1,
        }
    }
}

/// Runs the worker until `stop` is cancelled or, with `once`, the queues stay empty; then drains.
///
/// # Errors
/// [`CallError`] when Gesta refuses the worker or stays out of reach.
pub(crate) async fn run(
    client: Client,
    options: Options,
    stop: CancellationToken,
) -> Result<Totals, CallError> {
    let agent = Agent::register(&client, &options).await?;
    let report = Report::new(options.ndjson, agent.id());
    report.agent("registered");
    let heartbeat = agent.keep_alive(options.heartbeat, stop.clone());
    let worker = Worker {
        claims: Claims::new(client.clone(), agent.id(), &options),
        slots: Arc::new(Semaphore::new(options.concurrency as usize)),
        limit: Limit::per_second(options.claims_per_second),
        give_up: CancellationToken::new(),
        client,
        options,
        report,
    };
    let mut running = JoinSet::new();
    let ended = worker.work(&mut running, &stop).await;
    if stop.is_cancelled() {
        agent.drain().await;
    }
    let totals = worker.drain(running).await;
    stop.cancel();
    heartbeat.await.ok();
    agent.finish(&totals).await;
    worker.report.agent("ended");
    tracing::info!(totals.succeeded, totals.failed, totals.given_up, "worker ended");
    ended.map(|()| totals)
}

/// A running worker.
struct Worker {
    client: Client,
    options: Options,
    claims: Claims,
    slots: Arc<Semaphore>,
    limit: Limit,
    report: Report,
    /// Cancelled when running tasks must end at once.
    give_up: CancellationToken,
}

impl Worker {
    async fn work(&self, running: &mut JoinSet<Outcome>, stop: &CancellationToken) -> Result<(), CallError> {
        loop {
            let mut slots = tokio::select! {
                slot = Arc::clone(&self.slots).acquire_owned() => vec![slot.expect("the semaphore is never closed")],
                () = stop.cancelled() => return Ok(()),
            };
            while let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                slots.push(slot);
            }
            let idle = slots.len() == self.options.concurrency as usize;
            let wanted = u32::try_from(slots.len()).unwrap_or(u32::MAX);
            let max = tokio::select! {
                max = self.limit.take(wanted) => max,
                () = stop.cancelled() => return Ok(()),
            };
            let leases = tokio::select! {
                leases = self.claims.claim(max) => leases?,
                () = stop.cancelled() => return Ok(()),
            };
            if leases.is_empty() && idle && self.options.once {
                return Ok(());
            }
            for (lease, slot) in leases.into_iter().zip(slots) {
                self.report.task("claimed", &lease);
                let execution = self.execution(lease);
                running.spawn(async move {
                    let outcome = execution.run().await;
                    drop(slot);
                    outcome
                });
            }
        }
    }

    fn execution(&self, lease: LeasedTask) -> Execution {
        Execution {
            client: self.client.clone(),
            lease,
            progress_every: self.options.progress_every,
            give_up: self.give_up.clone(),
            report: self.report.clone(),
        }
    }

    /// Lets running tasks end within the grace period, then has the rest give up.
    async fn drain(&self, mut running: JoinSet<Outcome>) -> Totals {
        let mut totals = Totals::default();
        let grace = tokio::time::sleep(self.options.grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ended = running.join_next() => match ended {
                    Some(Ok(outcome)) => totals.count(outcome),
                    Some(Err(error)) => {
                        tracing::error!(%error, "a task's execution broke off; its lease will run out");
                        totals.count(Outcome::Lost);
                    }
                    None => return totals,
                },
                () = &mut grace, if !self.give_up.is_cancelled() => self.give_up.cancel(),
            }
        }
    }
}
