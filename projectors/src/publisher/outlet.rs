//! The one way of a process to the public topics, opened anew after every error.

use std::sync::Arc;

use event_log::{Cursor, Log, Publisher, PublisherOptions};
use sqlx::PgPool;
use tokio::sync::Mutex;

use super::PUBLISHER;
use crate::runner::Failure;
use crate::store;

/// Shared by the shards.
#[derive(Debug)]
pub(crate) struct Outlet {
    options: PublisherOptions,
    open: Mutex<Option<Arc<Publisher>>>,
}

impl Outlet {
    pub(crate) fn new(options: PublisherOptions) -> Self {
        Self { options, open: Mutex::default() }
    }

    /// The publisher, with cursors for every shard. Topics that are not there are created, and then everything
    /// is owed to them: the cursors go back to the beginning first.
    pub(crate) async fn open(
        &self,
        log: &Log,
        pool: &PgPool,
        generation: i32,
    ) -> Result<Arc<Publisher>, Failure> {
        let mut open = self.open.lock().await;
        if let Some(publisher) = &*open {
            return Ok(Arc::clone(publisher));
        }
        let starts: Vec<_> =
            (0..log.genesis().shards).map(|shard| Cursor::beginning(log.genesis(), shard)).collect();
        for start in &starts {
            store::carry(pool, PUBLISHER, generation, start.shard).await?;
            store::begin(pool, generation, &[PUBLISHER], start).await?;
        }
        let missing = Publisher::check(self.options.clone(), log).await?;
        if !missing.is_empty() {
            tracing::info!(topics = ?missing, "public topics are made; everything is published from the beginning");
            store::rewind(pool, PUBLISHER, generation, &starts).await?;
        }
        let publisher = Arc::new(Publisher::open(self.options.clone()).await?);
        *open = Some(Arc::clone(&publisher));
        Ok(publisher)
    }

    /// Gives up a publisher that failed: its other users fail too, and all of them go on from their cursors.
    pub(crate) async fn close(&self, failed: &Arc<Publisher>) {
        failed.kill();
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|publisher| Arc::ptr_eq(publisher, failed)) {
            metrics::counter!("gesta_publisher_failures_total").increment(1);
            *open = None;
        }
    }
}
