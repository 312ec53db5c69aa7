//! Pages of events: filter, orders, keysets; and the steps of subscriptions.

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Enum, ID, InputObject};
use chrono::{DateTime, Utc};
use migrations::{EVENT_JOURNAL, EventJournalRow};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::Event;
use crate::cursor::{Order, Page, PageArguments, Shape};
use crate::limits::{MAX_CAUSATION_EVENTS, SUBSCRIPTION_BATCH, TRACE_BATCH};
use crate::read_models::ReadModel;
use crate::reader::Reader;
use crate::schema::listing::{any_of, instant, is_id};
use crate::schema::{Fallible, reader, values};

/// A page of events.
pub(crate) type EventConnection = Connection<String, Event, EmptyFields, EmptyFields>;

/// Which events; every part that is given must hold, of a list any one value.
#[derive(Debug, Clone, Default, InputObject, Serialize)]
pub(crate) struct EventFilter {
    /// Event types, for example `gesta.work.task.created.v1`.
    types: Option<Vec<String>>,
    /// Aggregate types, for example `task`.
    aggregate_type: Option<Vec<String>>,
    /// Aggregate.
    aggregate_id: Option<ID>,
    /// Correlation id of the original request.
    correlation_id: Option<String>,
    /// Id of the event or command that caused the command.
    causation_id: Option<String>,
    /// Id of the command.
    command_id: Option<String>,
    /// Agent that they are about, or that holds the task.
    agent_id: Option<String>,
    /// Team that they name.
    team_id: Option<ID>,
    /// Task that they are about.
    task_id: Option<ID>,
    /// Kind of the actor, for example `user`.
    actor_type: Option<String>,
    /// Id of the actor.
    actor_id: Option<String>,
    /// At this instant or later.
    since: Option<DateTime<Utc>>,
    /// Before this instant.
    until: Option<DateTime<Utc>>,
    /// Shard of the log.
    shard: Option<i32>,
}

impl EventFilter {
    /// Events of these aggregate types.
    pub(crate) fn of_type(aggregate_type: &str) -> Self {
        Self { aggregate_type: Some(vec![aggregate_type.to_owned()]), ..Self::default() }
    }

    /// The same, of one aggregate.
    pub(crate) fn about(self, aggregate: Option<ID>) -> Self {
        Self { aggregate_id: aggregate.or(self.aggregate_id), ..self }
    }

    /// Adds the filter to a statement that has a `WHERE`.
    fn restrict(&self, sql: &mut QueryBuilder<Postgres>) -> Fallible<()> {
        for (texts, name) in [(&self.types, "types"), (&self.aggregate_type, "aggregateType")] {
            values::bounded(texts.as_ref(), name)?;
        }
        any_of(sql, " AND type = ANY(", self.types.clone());
        any_of(sql, " AND aggregate_type = ANY(", self.aggregate_type.clone());
        let texts = [
            (" AND correlation_id = ANY(", &self.correlation_id),
            (" AND causation_id = ANY(", &self.causation_id),
            (" AND command_id = ANY(", &self.command_id),
            (" AND agent_id = ANY(", &self.agent_id),
            (" AND actor_type = ANY(", &self.actor_type),
            (" AND actor_id = ANY(", &self.actor_id),
        ];
        for (condition, text) in texts {
            any_of(sql, condition, text.clone().map(|text| vec![text]));
        }
        is_id(sql, " AND aggregate_id = ", self.aggregate_id.as_ref(), "aggregateId")?;
        is_id(sql, " AND team_id = ", self.team_id.as_ref(), "teamId")?;
        is_id(sql, " AND task_id = ", self.task_id.as_ref(), "taskId")?;
        instant(sql, " AND time >= ", self.since);
        instant(sql, " AND time < ", self.until);
        if let Some(shard) = self.shard {
            sql.push(" AND shard = ").push_bind(shard);
        }
        Ok(())
    }
}

/// The order of a page of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum, Serialize)]
pub(crate) enum EventOrder {
    /// The newest first.
    #[default]
    TimeDesc,
    /// The oldest first.
    TimeAsc,
    /// By shard and offset: complete and final, so a reader that pages on misses nothing of a shard.
    Log,
}

/// Instant in microseconds, then generation, shard, offset and index.
type Key = (i64, i64, i32, i64, i32);

impl EventOrder {
    fn order(self) -> Order {
        let (row, ascending, descending) = match self {
            Self::TimeDesc | Self::TimeAsc => (
                "(time, log_generation, shard, log_offset, event_index)",
                "time, log_generation, shard, log_offset, event_index",
                "time DESC, log_generation DESC, shard DESC, log_offset DESC, event_index DESC",
            ),
            Self::Log => (
                "(log_generation, shard, log_offset, event_index)",
                "log_generation, shard, log_offset, event_index",
                "log_generation DESC, shard DESC, log_offset DESC, event_index DESC",
            ),
        };
        Order { row, ascending, descending, is_descending: self == Self::TimeDesc }
    }
}

fn key(row: &EventJournalRow) -> Key {
    (row.time.timestamp_micros(), row.log_generation, row.shard, row.log_offset, row.event_index)
}

fn select(reader: &Reader) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(EVENT_JOURNAL.column_list()).push(" FROM gesta.event_journal WHERE tenant = ");
    sql.push_bind(reader.tenant().as_str().to_owned());
    sql
}

async fn fetch(reader: &Reader, mut sql: QueryBuilder<Postgres>) -> Fallible<Vec<EventJournalRow>> {
    let mut connection = reader.lend(&[ReadModel::EventJournal]).await?;
    Ok(sql.build_query_as().fetch_all(&mut *connection).await?)
}

/// A page of events.
///
/// # Errors
/// A cursor, page size or filter that is not usable; the database is away.
pub(crate) async fn list(
    ctx: &Context<'_>,
    filter: EventFilter,
    order: EventOrder,
    arguments: &PageArguments,
) -> Fallible<EventConnection> {
    let reader = reader(ctx);
    let page = Page::<Key>::new(Shape::new(reader.tenant(), "events", &(&filter, order)), arguments)?;
    let mut sql = select(reader);
    filter.restrict(&mut sql)?;
    page.restrict(&mut sql, order.order(), |sql, (micros, generation, shard, offset, index)| {
        if order != EventOrder::Log {
            sql.push_bind(DateTime::from_timestamp_micros(*micros)).push(", ");
        }
        sql.push_bind(*generation).push(", ").push_bind(*shard).push(", ");
        sql.push_bind(*offset).push(", ").push_bind(*index);
    });
    Ok(page.connect(fetch(reader, sql).await?, EmptyFields, key, Event))
}

/// The events of one aggregate by version, the first one first.
///
/// # Errors
/// Those of [`list`].
pub(crate) async fn history(
    ctx: &Context<'_>,
    aggregate: Uuid,
    arguments: &PageArguments,
) -> Fallible<EventConnection> {
    let reader = reader(ctx);
    let page = Page::<(i64,)>::new(Shape::new(reader.tenant(), "history", &aggregate), arguments)?;
    let mut sql = select(reader);
    sql.push(" AND aggregate_id = ").push_bind(aggregate);
    let order =
        Order { row: "(version)", ascending: "version", descending: "version DESC", is_descending: false };
    page.restrict(&mut sql, order, |sql, (version,)| {
        sql.push_bind(*version);
    });
    Ok(page.connect(fetch(reader, sql).await?, EmptyFields, |row| (row.version,), Event))
}

/// The next events of one aggregate behind version `after`, up to version `last`, the first one first.
///
/// # Errors
/// The database is away.
pub(crate) async fn versions(
    reader: &Reader,
    aggregate: Uuid,
    after: i64,
    last: i64,
) -> Fallible<Vec<EventJournalRow>> {
    let mut sql = select(reader);
    sql.push(" AND aggregate_id = ").push_bind(aggregate);
    sql.push(" AND version > ").push_bind(after).push(" AND version <= ").push_bind(last);
    sql.push(" ORDER BY version LIMIT ").push_bind(TRACE_BATCH);
    fetch(reader, sql).await
}

/// The oldest events of a correlation, one more than a causation tree takes in.
///
/// # Errors
/// The database is away.
pub(crate) async fn of_correlation(reader: &Reader, correlation: &str) -> Fallible<Vec<EventJournalRow>> {
    let mut sql = select(reader);
    sql.push(" AND correlation_id = ").push_bind(correlation.to_owned());
    sql.push(" ORDER BY time, log_generation, shard, log_offset, event_index LIMIT ");
    sql.push_bind(MAX_CAUSATION_EVENTS + 1);
    fetch(reader, sql).await
}

/// The next events of one shard behind (`offset`, `index`) and below `end`, in the order of the log.
///
/// # Errors
/// A filter that is not usable; the database is away.
pub(crate) async fn after(
    reader: &Reader,
    filter: &EventFilter,
    generation: u32,
    shard: u16,
    (offset, index): (i64, i32),
    end: i64,
) -> Fallible<Vec<EventJournalRow>> {
    let mut sql = select(reader);
    filter.restrict(&mut sql)?;
    sql.push(" AND log_generation = ").push_bind(i64::from(generation));
    sql.push(" AND shard = ").push_bind(i32::from(shard));
    sql.push(" AND (log_offset, event_index) > (").push_bind(offset).push(", ").push_bind(index);
    sql.push(") AND log_offset < ").push_bind(end);
    sql.push(" ORDER BY log_offset, event_index LIMIT ").push_bind(SUBSCRIPTION_BATCH);
    fetch(reader, sql).await
}
