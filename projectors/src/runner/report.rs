//! What the runner of a shard tells its operator: log lines, progress, metrics and the state beside the cursors.

use std::time::Duration;

use chrono::Utc;
use event_log::Cursor;

use super::context::Context;
use super::failure::Failure;
use super::group::{Group, Prepared};
use super::unit;
use crate::status::{Progress, State};
use crate::store;

/// Tells of one shard.
pub(crate) struct Report<'a> {
    pub(crate) context: &'a Context,
    pub(crate) shard: u16,
}

impl Report<'_> {
    /// How much is parked, and since when.
    pub(crate) fn parked(&self, groups: &[Group]) {
        for reading in groups.iter().flat_map(|group| &group.units) {
            let labels = [("projection", reading.name().to_owned()), ("shard", self.shard.to_string())];
            let parked = &reading.parked;
            let age = parked.since().map_or(0, |since| Utc::now().signed_duration_since(since).num_seconds());
            #[expect(clippy::cast_precision_loss, reason = "2^53 letters or seconds are told closely enough")]
            let (letters, streams, age) = (parked.len() as f64, parked.streams() as f64, age.max(0) as f64);
            metrics::gauge!("gesta_dead_letters", &labels).set(letters);
            metrics::gauge!("gesta_dead_letter_streams", &labels).set(streams);
            metrics::gauge!("gesta_dead_letters_oldest_seconds", &labels).set(age);
        }
    }

    /// What a batch parks.
    pub(crate) fn poison(&self, batch: &Prepared) {
        for letter in &batch.letters {
            let Some(cause) = &letter.cause else { continue };
            let (projection, stream, offset) = (letter.projection, &letter.stream, letter.position.offset);
            let (shard, cause) = (self.shard, &cause.error);
            tracing::error!(shard, projection, %stream, offset, cause, "an event is parked as a dead letter");
        }
    }

    /// Records at the end that do not count leave no lag.
    pub(crate) fn caught_up(&self, groups: &[Group]) {
        for group in groups {
            let reached = group.reached();
            self.context.status.update(self.shard, &group.names(), |progress| {
                progress.head_offset = progress.next_offset.max(self.context.log.end(self.shard));
                if reached >= progress.head_offset {
                    progress.head_offset = progress.next_offset;
                }
                progress.state = State::Running;
            });
        }
        self.context.status.committed();
    }

    /// Makes visible why nothing is applied.
    pub(crate) async fn halted(&self, failure: &Failure, wait: Duration) {
        let units = self.context.units.iter();
        let names: Vec<_> = units.flat_map(|name| unit::names(name)).copied().collect();
        if failure.is_waited_out() {
            tracing::warn!(shard = self.shard, error = %failure, ?wait, "projections wait");
            self.show(&names, failure);
            return;
        }
        self.say_stopped(&names, failure);
        self.show(&names, failure);
        if let Err(problem) = self.all_stopped(&names, failure).await {
            tracing::error!(%problem, "that projections are stopped could not be written");
        }
    }

    /// Some projections do not go on, before what stands at the cursor.
    ///
    /// # Errors
    /// It could not be written down.
    pub(crate) async fn stopped(
        &self,
        names: &[&'static str],
        at: &Cursor,
        failure: &Failure,
    ) -> Result<(), Failure> {
        self.say_stopped(names, failure);
        self.show(names, failure);
        self.mark(names, at, failure).await
    }

    fn say_stopped(&self, names: &[&'static str], error: &Failure) {
        tracing::error!(shard = self.shard, projections = ?names, %error, "projections stopped; nothing is skipped");
    }

    fn show(&self, names: &[&'static str], failure: &Failure) {
        let state = if failure.is_waited_out() { State::Paused } else { State::Stopped };
        let head = |progress: &Progress| self.context.log.end(self.shard).max(progress.next_offset);
        self.context.status.update(self.shard, names, |progress| {
            progress.head_offset = head(progress);
            progress.state = state(failure.to_string());
        });
    }

    async fn all_stopped(&self, names: &[&'static str], failure: &Failure) -> Result<(), Failure> {
        let context = self.context;
        for stored in store::stored(&context.source.pool, context.generation, self.shard).await? {
            let own: Vec<_> = names.iter().copied().filter(|name| *name == stored.name).collect();
            self.mark(&own, &stored.cursor.0, failure).await?;
        }
        Ok(())
    }

    async fn mark(&self, names: &[&'static str], at: &Cursor, failure: &Failure) -> Result<(), Failure> {
        let head = self.context.log.end(self.shard).max(at.next_offset);
        let (pool, generation) = (&self.context.source.pool, self.context.generation);
        Ok(store::stop(pool, generation, names, at, head, &failure.to_string()).await?)
    }
}
