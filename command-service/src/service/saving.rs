//! The store beside a shard: what a step needs is loaded before it, what is proven is saved behind it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::driver::Driver;
use crate::shard::{Checkpoint, Input, Shard};
use crate::store::{Store, StoreError};

/// Changes after which a checkpoint is due. A stream that changes often is then written once for many
/// changes; what a restart replays of each shard stays below a second.
const SAVE_CHANGES: usize = 32_768;
/// Time after which a checkpoint is due, if anything changed.
const SAVE_INTERVAL: Duration = Duration::from_secs(30);
/// Time after which a checkpoint that failed is tried again.
const SAVE_RETRY: Duration = Duration::from_secs(5);
/// Rounds of loading that one step may need: a command, then the tasks that its answer names.
const LOAD_ROUNDS: usize = 3;

/// The checkpoint under way and the one before.
#[derive(Debug)]
pub(super) struct Saving {
    pub(super) store: Arc<Store>,
    next: Instant,
    /// The last one failed.
    failed: bool,
}

/// A checkpoint that was not written, as far as anyone knows.
#[derive(Debug)]
pub(super) struct Unsaved {
    checkpoint: Checkpoint,
    error: StoreError,
}

/// What became of a checkpoint.
pub(super) type Saved = Result<(), Box<Unsaved>>;

impl Saving {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, next: Instant::now() + SAVE_INTERVAL, failed: false }
    }
}

impl Driver {
    /// Begins where the store stands.
    pub(super) async fn restore(&mut self) {
        let Some(saving) = &self.saving else { return };
        let settings = self.settings.clone();
        let (store, number) = (Arc::clone(&saving.store), self.number);
        let beginning = *self.shard.cursor();
        let restored = tokio::task::spawn_blocking(move || {
            let found = store.restore(number)?;
            let (cursor, at, marks) = found.map_or_else(
                || (beginning, DateTime::UNIX_EPOCH, Vec::new()),
                |restored| (restored.cursor, restored.at, restored.marks),
            );
            Ok(Shard::restored(settings, cursor, at, marks.into_iter()))
        });
        match restored.await {
            Ok(Ok(shard)) => self.shard = shard,
            Ok(Err(error)) => self.store_failed(&error),
            // The runtime is ending; so is this task.
            Err(_) => {}
        }
    }

    fn store_failed(&mut self, error: &StoreError) {
        self.saving = None;
        self.step(Input::Damaged(error.to_string()));
    }

    /// Loads what `input` needs at `at`.
    pub(super) fn load(&mut self, at: DateTime<Utc>, input: &Input) -> Result<(), StoreError> {
        let Some(saving) = &self.saving else { return Ok(()) };
        for _ in 0..LOAD_ROUNDS {
            let needs = self.shard.needs(at, input);
            if needs.is_empty() {
                break;
            }
            let loaded = saving.store.load(self.number, needs)?;
            self.shard.step(at, Input::Loaded(Box::new(loaded)));
        }
        Ok(())
    }

    /// Whether a checkpoint is due.
    pub(super) fn save_is_due(&self) -> bool {
        let Some(saving) = &self.saving else { return false };
        let unsaved = self.shard.unsaved();
        let many = unsaved >= SAVE_CHANGES && !saving.failed;
        many || (unsaved > 0 && saving.next <= Instant::now())
    }

    /// Writes a checkpoint on another thread; the future ends with its outcome.
    pub(super) fn save(&mut self) -> impl Future<Output = Saved> + Send + 'static + use<> {
        let checkpoint = self.shard.checkpoint();
        let number = self.number;
        let store = self.saving.as_mut().map(|saving| {
            saving.next = Instant::now() + SAVE_INTERVAL;
            Arc::clone(&saving.store)
        });
        async move {
            let Some(store) = store else { return Ok(()) };
            let saved = tokio::task::spawn_blocking(move || {
                let written = store.save(number, &checkpoint);
                written.map_err(|error| Box::new(Unsaved { checkpoint, error }))
            });
            // The runtime is ending: the log has everything.
            saved.await.unwrap_or(Ok(()))
        }
    }

    /// A checkpoint was written, or not. What the store misses stays in memory, and goes into the next
    /// checkpoint; a restart before that replays it from the log.
    pub(super) fn saved(&mut self, outcome: Saved) {
        let failed = outcome.is_err();
        match outcome {
            Ok(()) => {
                let retired = self.shard.saved();
                // Detached: nothing depends on when that memory is free.
                drop(tokio::task::spawn_blocking(move || drop(retired)));
            }
            Err(unsaved) => {
                let Unsaved { checkpoint, error } = *unsaved;
                tracing::error!(shard = self.number, %error, "the checkpoint failed; trying again");
                metrics::counter!("gesta_checkpoint_failures_total", "shard" => self.number.to_string())
                    .increment(1);
                self.shard.not_saved(checkpoint);
            }
        }
        if let Some(saving) = &mut self.saving {
            if saving.failed && !failed {
                tracing::info!(shard = self.number, "checkpoints are written again");
            }
            saving.failed = failed;
            if failed {
                saving.next = Instant::now() + SAVE_RETRY;
            }
        }
    }
}
