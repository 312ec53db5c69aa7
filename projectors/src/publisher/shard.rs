//! The publisher of one shard: read, publish, wait for every report, move the cursor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, Utc};
use event_log::{Content, Counted, Cursor, Log, Publisher, Reader, Start};
use schemas::cloudevent::CloudEvent;
use sqlx::PgPool;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{Outlet, PUBLISHER, Personal, records};
use crate::runner::Failure;
use crate::status::{State, Status};
use crate::store::{self, Marks};

/// First and longest wait after a failure that goes away by itself.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Time between two looks at what stopped a shard: an operator may have repaired it.
const RECHECK: Duration = Duration::from_secs(30);
/// Brokers that take longer to confirm a batch are said to be away.
const SLOW: Duration = Duration::from_secs(10);
/// Records of one read.
const READ: usize = 256;
/// Most events of one batch; a commit has up to 1,000 and is never parted.
const BATCH_EVENTS: usize = 4_000;
/// Most bytes of the payloads of one batch; a single larger commit still makes one.
const BATCH_BYTES: usize = 1024 * 1024;

/// What all shards share.
pub(crate) struct Context {
    pub(crate) log: Log,
    pub(crate) pool: PgPool,
    pub(crate) generation: i32,
    pub(crate) outlet: Outlet,
    pub(crate) personal: Personal,
    pub(crate) until_end: bool,
    pub(crate) status: Status,
    /// One move of a cursor at a time: the pool is there for the rows.
    pub(crate) mover: Semaphore,
}

/// Publishes one shard until it is cancelled, or to the end of the log when that is asked for.
///
/// # Errors
/// Only when the run is to the end: what stopped it.
pub(crate) async fn run(context: Arc<Context>, shard: u16, cancel: CancellationToken) -> Result<(), Failure> {
    let backoff = || {
        let (first, longest) = BACKOFF;
        let waits = ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest);
        waits.without_max_times().with_jitter().build()
    };
    let mut waits = backoff();
    loop {
        let mut runner = Runner { context: &context, shard, published: false };
        let ended = tokio::select! {
            // What is under way may reach the topics; it is published again from the cursor.
            () = cancel.cancelled() => return Ok(()),
            ended = runner.follow() => ended,
        };
        if runner.published {
            waits = backoff();
        }
        let failure = match ended {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let wait = match &failure {
            Failure::Lost | Failure::Outage(_) => waits.next().unwrap_or(BACKOFF.1),
            Failure::Topics(error) if error.is_outage() => waits.next().unwrap_or(BACKOFF.1),
            Failure::Publish(_) => waits.next().unwrap_or(BACKOFF.1),
            _ if context.until_end => return Err(failure),
            _ => RECHECK,
        };
        runner.tell(&failure, wait).await;
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

struct Runner<'a> {
    context: &'a Context,
    shard: u16,
    published: bool,
}

/// Events that are published together.
struct Batch {
    events: Vec<CloudEvent>,
    /// After the last record of it.
    cursor: Cursor,
    /// `at` of its last commit.
    last_at: Option<DateTime<Utc>>,
}

impl Runner<'_> {
    async fn follow(&mut self) -> Result<(), Failure> {
        let Context { log, pool, generation, outlet, status, .. } = self.context;
        let publisher = outlet.open(log, pool, *generation).await?;
        let stored = store::stored(pool, *generation, self.shard).await?;
        let stored = stored.into_iter().find(|stored| stored.name == PUBLISHER).ok_or(Failure::Lost)?;
        let mut cursor = stored.cursor.0;
        let mut end = log.watch(self.shard);
        status.update(self.shard, &[PUBLISHER], |progress| {
            progress.next_offset = cursor.next_offset;
            progress.head_offset = log.end(self.shard).max(cursor.next_offset);
            progress.last_event_at = stored.last_event_at;
        });
        let mut reader = log.reader(Start::Cursor(cursor)).await?;
        store::resume(pool, *generation, &[PUBLISHER], &cursor).await?;
        loop {
            end.borrow_and_update();
            let (batch, failure) = self.read(&mut reader, cursor).await?;
            // Records without events move the cursor with the next event.
            if !batch.events.is_empty() {
                if let Err(error) = self.publish(&publisher, &batch.events).await {
                    outlet.close(&publisher).await;
                    return Err(error);
                }
                cursor = self.advance(cursor, &batch, &reader).await?;
            }
            match failure {
                Some(failure) => return Err(failure),
                None if batch.events.is_empty() => {
                    self.caught_up(&reader);
                    if !self.wait(&mut end).await {
                        return Ok(());
                    }
                }
                None => {}
            }
        }
    }

    /// Reads a batch, up to an event that cannot be published.
    async fn read(&self, reader: &mut Reader, from: Cursor) -> Result<(Batch, Option<Failure>), Failure> {
        let generation = self.context.log.genesis().generation;
        let mut batch = Batch { events: Vec::new(), cursor: from, last_at: None };
        let mut bytes = 0;
        while batch.events.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let counted: Vec<Counted> = reader.next(READ).await?;
            if counted.is_empty() {
                break;
            }
            for record in &counted {
                match records::events(record, generation, self.shard, self.context.personal) {
                    Ok(events) => {
                        bytes += events.iter().map(|event| event.data.get().len()).sum::<usize>();
                        batch.events.extend(events);
                    }
                    Err(failure) => return Ok((batch, Some(failure))),
                }
                batch.cursor = record.cursor;
                if let Content::Commit(commit) = &record.content {
                    batch.last_at = Some(commit.at);
                }
            }
        }
        Ok((batch, None))
    }

    /// Waits until the brokers confirmed every event, however long they are away.
    async fn publish(&self, publisher: &Publisher, events: &[CloudEvent]) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut publishing = std::pin::pin!(publisher.publish(events));
        loop {
            match tokio::time::timeout(SLOW, &mut publishing).await {
                Ok(done) => break done?,
                Err(_) => self.pause("the brokers do not confirm the events; waiting for them"),
            }
        }
        metrics::histogram!("gesta_publisher_batch_seconds").record(begun.elapsed().as_secs_f64());
        metrics::counter!("gesta_publisher_events_total").increment(events.len() as u64);
        Ok(())
    }

    async fn advance(&mut self, old: Cursor, batch: &Batch, reader: &Reader) -> Result<Cursor, Failure> {
        let new = batch.cursor;
        let head = self.context.log.end(self.shard).max(new.next_offset);
        // Records at the end that do not count leave no lag.
        let head = if reader.cursor().next_offset >= head { new.next_offset } else { head };
        let marks = Marks {
            generation: self.context.generation,
            names: vec![PUBLISHER],
            versions: vec![0],
            old,
            new,
            head,
            last_at: batch.last_at,
            events: vec![i64::try_from(batch.events.len()).unwrap_or(i64::MAX)],
        };
        let _permit = self.context.mover.acquire().await.expect("nobody closes it");
        let mut tx = migrations::begin(&self.context.pool, "BEGIN").await?;
        // A crash may lose the last moves of the cursor; then events are published again.
        sqlx::raw_sql("SET LOCAL synchronous_commit = off").execute(&mut *tx).await?;
        if !store::advance_quietly(&mut tx, &marks).await? {
            tx.rollback().await?;
            return Err(Failure::Lost);
        }
        tx.commit().await?;
        self.published = true;
        self.context.status.update(self.shard, &[PUBLISHER], |progress| {
            progress.next_offset = new.next_offset;
            progress.head_offset = head;
            progress.last_event_at = batch.last_at.or(progress.last_event_at);
            progress.state = State::Running;
        });
        Ok(new)
    }

    fn caught_up(&self, reader: &Reader) {
        let reached = reader.cursor().next_offset;
        self.context.status.update(self.shard, &[PUBLISHER], |progress| {
            let head = self.context.log.end(self.shard).max(progress.next_offset);
            progress.head_offset = if reached >= head { progress.next_offset } else { head };
            progress.state = State::Running;
        });
    }

    /// Waits for more; `false` when the run ends here.
    async fn wait(&self, end: &mut watch::Receiver<u64>) -> bool {
        if self.context.until_end {
            return false;
        }
        // Without the log's writing half nothing will come; the run ends when it is cancelled.
        if end.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        true
    }

    fn pause(&self, reason: &str) {
        tracing::warn!(shard = self.shard, reason, "the publisher waits");
        let head = self.context.log.end(self.shard);
        self.context.status.update(self.shard, &[PUBLISHER], |progress| {
            progress.head_offset = head.max(progress.next_offset);
            progress.state = State::Paused(reason.to_owned());
        });
    }

    /// Makes visible why nothing is published.
    async fn tell(&self, failure: &Failure, wait: Duration) {
        if wait != RECHECK {
            self.pause(&failure.to_string());
            return;
        }
        let (shard, error) = (self.shard, failure.to_string());
        tracing::error!(shard, error, "the publisher stopped; nothing is skipped");
        let head = self.context.log.end(shard);
        self.context.status.update(shard, &[PUBLISHER], |progress| {
            progress.head_offset = head.max(progress.next_offset);
            progress.state = State::Stopped(error.clone());
        });
        if let Err(problem) = self.mark_stopped(head, &error).await {
            tracing::error!(%problem, "that the publisher is stopped could not be written");
        }
    }

    async fn mark_stopped(&self, head: u64, error: &str) -> Result<(), sqlx::Error> {
        let Context { pool, generation, .. } = self.context;
        let stored = store::stored(pool, *generation, self.shard).await?;
        for own in stored.iter().filter(|stored| stored.name == PUBLISHER) {
            let at = own.cursor.0;
            store::stop(pool, *generation, &[PUBLISHER], &at, head.max(at.next_offset), error).await?;
        }
        Ok(())
    }
}
