//! What all shards of a run share.

use std::time::Instant;

use event_log::Log;
use tokio::sync::Semaphore;

use super::breaker::Breaker;
use super::cache::Budget;
use super::depths::Depths;
use super::failure::Failure;
use super::group::Prepared;
use super::parked::{Letter, Limits};
use super::rows::Source;
use crate::status::Status;
use crate::store::{self, Marks};

pub(crate) struct Context {
    pub(crate) log: Log,
    pub(crate) source: Source,
    pub(crate) generation: i32,
    pub(crate) units: Vec<&'static str>,
    pub(crate) batch_commits: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) budget: Budget,
    pub(crate) depths: Depths,
    pub(crate) writers: Semaphore,
    pub(crate) parked: Limits,
    pub(crate) breaker: Breaker,
    pub(crate) until_end: bool,
    pub(crate) status: Status,
}

impl Context {
    /// Writes a batch: cursors and rows in one transaction, or nothing.
    pub(crate) async fn commit(&self, batch: Prepared) -> Result<Marks, Failure> {
        let _permit = self.writers.acquire().await.expect("nobody closes it");
        let begun = Instant::now();
        let mut tx = migrations::begin(&self.source.pool, "BEGIN").await?;
        if !store::advance(&mut tx, &batch.marks).await? {
            tx.rollback().await?;
            return Err(Failure::Lost);
        }
        for rows in &batch.writes {
            rows.write(&mut tx, &self.source.schema).await?;
        }
        store::park(&mut tx, batch.marks.generation, &batch.letters).await?;
        store::discard(&mut tx, &batch.discards).await?;
        store::leave_out(&mut tx, batch.marks.generation, &batch.skipped).await?;
        tx.commit().await?;
        metrics::histogram!("gesta_projection_batch_seconds").record(begun.elapsed().as_secs_f64());
        for (name, events) in batch.marks.names.iter().zip(&batch.marks.events) {
            metrics::counter!("gesta_projection_events_applied_total", "projection" => *name)
                .increment(u64::try_from(*events).unwrap_or(0));
        }
        batch.worked.iter().for_each(|name| self.breaker.succeeded(name));
        batch.letters.iter().for_each(count);
        Ok(batch.marks)
    }
}

fn count(letter: &Letter) {
    let (stage, reason) = letter.cause.as_ref().map_or(("", "follower"), |c| (c.stage, c.class.as_str()));
    let labels = [("projection", letter.projection), ("stage", stage), ("reason", reason)];
    metrics::counter!("gesta_dead_letters_parked_total", &labels).increment(1);
}
