//! Dead letters: events that a projection could not read, and those that wait behind them.

use std::marker::PhantomData;

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Enum, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use migrations::DeadLettersRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::listing::{Listing, any_of, instant};
use super::{Fallible, reader, values};
use crate::cursor::{Order, PageArguments};
use crate::problem::Problem;
use crate::read_models::ReadModel;

/// A page of dead letters.
pub(crate) type DeadLetterConnection = Connection<String, DeadLetter, DeadLetterTotal, EmptyFields>;

/// Letters of the generation that is read: those of another one are not about what is shown.
static LETTERS: Listing<DeadLettersRow> = Listing {
    field: "deadLetters",
    columns: || {
        "l.*, d.actor AS discarded_by, d.at AS discarded_at, d.reason AS discard_reason, d.event_id AS discard_event"
            .to_owned()
    },
    row: PhantomData,
    from: " FROM gesta.dead_letters l LEFT JOIN gesta.dead_letter_discards d \
         ON (d.tenant, d.id, d.projection) = (l.tenant, l.id, l.projection) WHERE l.generation = \
         (SELECT generation FROM gesta.generations WHERE state = 'live') AND l.tenant = ",
    models: &[ReadModel::DeadLetters],
};

/// Why an event is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeadLetterKind {
    /// It was tried and could not be applied.
    Poison,
    /// It waits, untried, behind one of its stream that could not.
    Follower,
}

/// What became of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeadLetterState {
    /// It waits.
    Parked,
    /// It was redriven: the read model shows it.
    Applied,
    /// Somebody gave it up: the read model lacks the event, and goes on with those behind it.
    Discarded,
}

/// An event that one projection did not apply when it came.
#[derive(Clone)]
pub(crate) struct DeadLetter {
    row: DeadLettersRow,
    kind: DeadLetterKind,
    state: DeadLetterState,
}

impl TryFrom<DeadLettersRow> for DeadLetter {
    type Error = Problem;
    fn try_from(row: DeadLettersRow) -> Fallible<Self> {
        Ok(Self { kind: values::known(&row.kind, "kind")?, state: values::known(&row.state, "state")?, row })
    }
}

/// An event that one projection did not apply when it came.
#[Object]
impl DeadLetter {
    /// Id of the letter.
    async fn id(&self) -> ID {
        self.row.id.into()
    }
    /// The projection, such as `task_list`.
    async fn projection(&self) -> &str {
        &self.row.projection
    }
    /// Stream of the event, `tenant/type/id`. Its later events wait behind it.
    async fn stream(&self) -> &str {
        &self.row.stream
    }
    /// Version of the event in its stream.
    async fn version(&self) -> i64 {
        self.row.version
    }
    /// Id of the event.
    async fn event_id(&self) -> ID {
        self.row.event_id.into()
    }
    /// Type of the event.
    async fn event_type(&self) -> &str {
        &self.row.r#type
    }
    /// The commit with this event alone, as it stands in the log.
    async fn commit(&self) -> Value {
        serde_json::from_str(&self.row.event).unwrap_or_else(|_| Value::from(self.row.event.clone()))
    }
    /// Whether it was tried, or waits behind one that was.
    async fn kind(&self) -> DeadLetterKind {
        self.kind
    }
    /// Where it failed: `decode-key`, `decode-header`, `decode-value`, `upcast`, `handle` or `write`.
    async fn stage(&self) -> Option<&str> {
        self.row.stage.as_deref()
    }
    /// What was wrong.
    async fn error(&self) -> Option<&str> {
        self.row.error.as_deref()
    }
    /// How often it was tried.
    async fn attempts(&self) -> i32 {
        self.row.attempts
    }
    /// What became of it.
    async fn state(&self) -> DeadLetterState {
        self.state
    }
    /// Whether an operator wants it tried again, which happens within seconds.
    async fn redrive(&self) -> bool {
        self.row.redrive
    }
    /// Shard of the log.
    async fn shard(&self) -> i32 {
        self.row.shard
    }
    /// Offset of its commit in the shard.
    async fn offset(&self) -> i64 {
        self.row.log_offset
    }
    /// Who gave it up, `kind/id`. While the letter is parked that has not taken effect yet; when it is applied it never will.
    async fn discarded_by(&self) -> Option<&str> {
        self.row.discarded_by.as_deref()
    }
    /// When it was given up.
    async fn discarded_at(&self) -> Option<DateTime<Utc>> {
        self.row.discarded_at
    }
    /// Why it was given up.
    async fn discard_reason(&self) -> Option<&str> {
        self.row.discard_reason.as_deref()
    }
    /// Id of the event that records that it was given up.
    async fn discard_event_id(&self) -> Option<ID> {
        self.row.discard_event.map(ID::from)
    }
    /// When it was parked.
    async fn parked_at(&self) -> DateTime<Utc> {
        self.row.parked_at
    }
    /// When it was tried last, or applied.
    async fn tried_at(&self) -> Option<DateTime<Utc>> {
        self.row.tried_at
    }
}

/// Which dead letters; every part that is given must hold, of a list any one value.
#[derive(Debug, Clone, Default, InputObject, Serialize)]
pub(crate) struct DeadLetterFilter {
    /// Projections, for example `task_list`.
    projection: Option<Vec<String>>,
    /// Streams, `tenant/type/id`.
    stream: Option<Vec<String>>,
    /// Where they failed.
    stage: Option<Vec<String>>,
    /// Why they are dead letters.
    kind: Option<Vec<DeadLetterKind>>,
    /// What became of them.
    state: Option<Vec<DeadLetterState>>,
    /// Parked at this instant or later.
    parked_after: Option<DateTime<Utc>>,
    /// Parked before this instant.
    parked_before: Option<DateTime<Utc>>,
}

impl DeadLetterFilter {
    /// Adds the filter to a statement on `gesta.dead_letters l` that has a `WHERE`.
    fn restrict(&self, sql: &mut QueryBuilder<Postgres>) -> Fallible<()> {
        let texts = [
            (" AND l.projection = ANY(", &self.projection, "projection"),
            (" AND l.stream = ANY(", &self.stream, "stream"),
            (" AND l.stage = ANY(", &self.stage, "stage"),
        ];
        for (condition, texts, name) in texts {
            values::bounded(texts.as_ref(), name)?;
            any_of(sql, condition, texts.clone());
        }
        any_of(sql, " AND l.kind = ANY(", self.kind.as_deref().map(values::columns));
        any_of(sql, " AND l.state = ANY(", self.state.as_deref().map(values::columns));
        instant(sql, " AND l.parked_at >= ", self.parked_after);
        instant(sql, " AND l.parked_at < ", self.parked_before);
        Ok(())
    }
}

/// The order of a page of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum, Serialize)]
pub(crate) enum DeadLetterOrder {
    /// The one that waits longest first.
    #[default]
    ParkedAsc,
    /// The newest first.
    ParkedDesc,
}

/// What a page of dead letters says about all of them.
pub(crate) struct DeadLetterTotal(DeadLetterFilter);

/// What a page of dead letters says about all of them.
#[Object]
impl DeadLetterTotal {
    /// How many dead letters fit the filter, on all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Fallible<i64>> {
        Some(LETTERS.count(ctx, |sql| self.0.restrict(sql)).await)
    }
}

/// A page of dead letters.
///
/// # Errors
/// A cursor, page size or filter that is not usable; the database is away.
pub(super) async fn list(
    ctx: &Context<'_>,
    filter: DeadLetterFilter,
    order: DeadLetterOrder,
    arguments: &PageArguments,
) -> Fallible<DeadLetterConnection> {
    let mut page = LETTERS.page(ctx, &(&filter, order), arguments)?;
    filter.restrict(&mut page.sql)?;
    let by = Order {
        row: "(l.parked_at, l.id)",
        ascending: "l.parked_at, l.id",
        descending: "l.parked_at DESC, l.id DESC",
        is_descending: order == DeadLetterOrder::ParkedDesc,
    };
    let key = |letter: &DeadLetter| (letter.row.parked_at.timestamp_micros(), letter.row.id);
    page.read(ctx, by, DeadLetterTotal(filter), key).await
}

/// The dead letter of an id.
///
/// # Errors
/// The database is away.
pub(super) async fn find(ctx: &Context<'_>, id: Uuid) -> Fallible<Option<DeadLetter>> {
    let reader = reader(ctx);
    let mut connection = reader.lend(LETTERS.models).await?;
    let query = sqlx::query_as(
        "SELECT l.*, d.actor AS discarded_by, d.at AS discarded_at, d.reason AS discard_reason, \
           d.event_id AS discard_event \
         FROM gesta.dead_letters l LEFT JOIN gesta.dead_letter_discards d \
           ON (d.tenant, d.id, d.projection) = (l.tenant, l.id, l.projection) \
         LEFT JOIN gesta.generations g ON g.generation = l.generation WHERE l.id = $1 AND l.tenant = $2 \
         ORDER BY g.state = 'live' DESC NULLS LAST, l.generation DESC LIMIT 1",
    );
    let row: Option<DeadLettersRow> =
        query.bind(id).bind(reader.tenant().as_str()).fetch_optional(&mut *connection).await?;
    row.map(DeadLetter::try_from).transpose()
}
