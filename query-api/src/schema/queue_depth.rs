//! Queues: the read model `queue_depth`, counted per shard and added here.

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::loaders::OldestIn;
use super::{Fallible, loaders, reader};
use crate::cursor::{Order, Page, PageArguments, Shape};
use crate::read_models::ReadModel;

/// A page of queues.
pub(crate) type QueueConnection = Connection<String, Queue, EmptyFields, EmptyFields>;

/// A queue and how many of its tasks are in each state.
#[derive(sqlx::FromRow)]
pub(crate) struct Queue {
    queue: String,
    pending: i64,
    queued: i64,
    assigned: i64,
    running: i64,
    retry_wait: i64,
    succeeded: i64,
    failed: i64,
    dead_lettered: i64,
    discarded: i64,
    cancelled: i64,
    compensating: i64,
    compensated: i64,
    compensation_failed: i64,
    updated_at: DateTime<Utc>,
}

/// A queue and how many of its tasks are in each state.
#[Object]
impl Queue {
    /// Name of the queue.
    async fn name(&self) -> &str {
        &self.queue
    }
    /// Tasks that wait for a worker.
    async fn depth(&self) -> i64 {
        self.queued
    }
    /// Held back, or waiting for their time.
    async fn pending(&self) -> i64 {
        self.pending
    }
    /// Leased, not begun.
    async fn assigned(&self) -> i64 {
        self.assigned
    }
    /// Being worked on.
    async fn running(&self) -> i64 {
        self.running
    }
    /// Waiting for the next attempt.
    async fn retry_wait(&self) -> i64 {
        self.retry_wait
    }
    /// Done.
    async fn succeeded(&self) -> i64 {
        self.succeeded
    }
    /// Failed for good.
    async fn failed(&self) -> i64 {
        self.failed
    }
    /// Set aside for a person.
    async fn dead_lettered(&self) -> i64 {
        self.dead_lettered
    }
    /// Given up.
    async fn discarded(&self) -> i64 {
        self.discarded
    }
    /// Cancelled.
    async fn cancelled(&self) -> i64 {
        self.cancelled
    }
    /// Being undone.
    async fn compensating(&self) -> i64 {
        self.compensating
    }
    /// Undone.
    async fn compensated(&self) -> i64 {
        self.compensated
    }
    /// Could not be undone.
    async fn compensation_failed(&self) -> i64 {
        self.compensation_failed
    }
    /// When the last change happened.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
    /// Since when the oldest task waits for a worker; none when none waits.
    async fn oldest_waiting_since(&self, ctx: &Context<'_>) -> Option<Fallible<DateTime<Utc>>> {
        loaders(ctx).load_one(OldestIn(self.queue.clone())).await.transpose()
    }
}

const SUMS_SQL: &str =
    "SELECT * FROM (SELECT queue, sum(pending)::bigint AS pending, sum(queued)::bigint AS queued,
    sum(assigned)::bigint AS assigned, sum(running)::bigint AS running, sum(retry_wait)::bigint AS retry_wait,
    sum(succeeded)::bigint AS succeeded, sum(failed)::bigint AS failed,
    sum(dead_lettered)::bigint AS dead_lettered, sum(discarded)::bigint AS discarded,
    sum(cancelled)::bigint AS cancelled, sum(compensating)::bigint AS compensating,
    sum(compensated)::bigint AS compensated, sum(compensation_failed)::bigint AS compensation_failed,
    max(updated_at) AS updated_at FROM gesta.queue_depth WHERE tenant = ";

/// A page of queues by name.
///
/// # Errors
/// A cursor or page size that is not usable; the database is away.
pub(super) async fn list(
    ctx: &Context<'_>,
    name: Option<String>,
    arguments: &PageArguments,
) -> Fallible<QueueConnection> {
    let reader = reader(ctx);
    let page = Page::<(String,)>::new(Shape::new(reader.tenant(), "queues", &name), arguments)?;
    let mut sql = QueryBuilder::new(SUMS_SQL);
    sql.push_bind(reader.tenant().as_str().to_owned());
    if let Some(name) = name {
        sql.push(" AND queue = ").push_bind(name);
    }
    sql.push(" GROUP BY queue) sums WHERE true");
    let order = Order { row: "(queue)", ascending: "queue", descending: "queue DESC", is_descending: false };
    page.restrict(&mut sql, order, |sql, (queue,)| {
        sql.push_bind(queue.clone());
    });
    let mut connection = reader.lend(&[ReadModel::QueueDepth]).await?;
    let rows: Vec<Queue> = sql.build_query_as().fetch_all(&mut *connection).await?;
    Ok(page.connect(rows, EmptyFields, |row| (row.queue.clone(),), |row| row))
}
