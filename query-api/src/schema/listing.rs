//! What pages of rows that have an instant and an id have in common: the parts of a filter, the keyset, the count.

use std::marker::PhantomData;

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, ID, ObjectType, OutputType};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Fallible, reader, values};
use crate::cursor::{Order, Page, PageArguments, Shape};
use crate::problem::Problem;
use crate::read_models::ReadModel;
use crate::reader::Reader;

/// Key of a row in an order by instant: microseconds, then id.
pub(super) type Key = (i64, Uuid);

/// A table as a root field lists it.
pub(super) struct Listing<R: 'static> {
    /// The root field; a cursor belongs to it.
    pub(super) field: &'static str,
    /// The columns of a row, as a list.
    pub(super) columns: fn() -> String,
    pub(super) row: PhantomData<fn() -> R>,
    /// From where, up to the value of the tenant.
    pub(super) from: &'static str,
    /// What its statements read.
    pub(super) models: &'static [ReadModel],
}

impl<R> Listing<R>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    fn select(&self, reader: &Reader, what: &str) -> QueryBuilder<Postgres> {
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(what).push(self.from).push_bind(reader.tenant().as_str().to_owned());
        sql
    }

    /// How many rows `restrict` leaves.
    ///
    /// # Errors
    /// A filter that is not usable; the database is away.
    pub(super) async fn count(
        &self,
        ctx: &Context<'_>,
        restrict: impl FnOnce(&mut QueryBuilder<Postgres>) -> Fallible<()>,
    ) -> Fallible<i64> {
        let reader = reader(ctx);
        let mut sql = self.select(reader, "count(*)");
        restrict(&mut sql)?;
        let mut connection = reader.lend(self.models).await?;
        Ok(sql.build_query_scalar().fetch_one(&mut *connection).await?)
    }

    /// Begins a page; the filter is then added to its [`Paging::sql`].
    ///
    /// # Errors
    /// A cursor of another `query` (filter and order), or a page size out of bounds.
    pub(super) fn page(
        &'static self,
        ctx: &Context<'_>,
        query: &impl Serialize,
        arguments: &PageArguments,
    ) -> Fallible<Paging<R>> {
        let reader = reader(ctx);
        let page = Page::new(Shape::new(reader.tenant(), self.field, query), arguments)?;
        Ok(Paging { listing: self, page, sql: self.select(reader, &(self.columns)()) })
    }
}

/// A page that is being put together.
pub(super) struct Paging<R: 'static> {
    listing: &'static Listing<R>,
    page: Page<Key>,
    /// The statement, so far with a `WHERE` and no order.
    pub(super) sql: QueryBuilder<Postgres>,
}

impl<R> Paging<R>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    /// Reads the page.
    ///
    /// # Errors
    /// The database is away, or holds what this release does not know.
    pub(super) async fn read<N, F>(
        mut self,
        ctx: &Context<'_>,
        order: Order,
        fields: F,
        key: impl Fn(&N) -> Key,
    ) -> Fallible<Connection<String, N, F, EmptyFields>>
    where
        N: OutputType + TryFrom<R, Error = Problem>,
        F: ObjectType,
    {
        self.page.restrict(&mut self.sql, order, |sql, (micros, id)| {
            sql.push_bind(DateTime::from_timestamp_micros(*micros)).push(", ").push_bind(*id);
        });
        let mut connection = reader(ctx).lend(self.listing.models).await?;
        let rows: Vec<R> = self.sql.build_query_as().fetch_all(&mut *connection).await?;
        drop(connection);
        let nodes = rows.into_iter().map(N::try_from).collect::<Fallible<Vec<_>>>()?;
        Ok(self.page.connect(nodes, fields, key, |node| node))
    }
}

/// Any one of `values`; `condition` ends with `ANY(`.
pub(super) fn any_of(sql: &mut QueryBuilder<Postgres>, condition: &'static str, values: Option<Vec<String>>) {
    if let Some(values) = values {
        sql.push(condition).push_bind(values).push(")");
    }
}

/// The aggregate of an id that the filter names as `name`.
///
/// # Errors
/// `invalid_query` when it is not an id.
pub(super) fn is_id(
    sql: &mut QueryBuilder<Postgres>,
    condition: &'static str,
    id: Option<&ID>,
    name: &str,
) -> Fallible<()> {
    if let Some(id) = values::filter_uuid(id, name)? {
        sql.push(condition).push_bind(id);
    }
    Ok(())
}

/// Bounded by an instant.
pub(super) fn instant(
    sql: &mut QueryBuilder<Postgres>,
    condition: &'static str,
    instant: Option<DateTime<Utc>>,
) {
    if let Some(instant) = instant {
        sql.push(condition).push_bind(instant);
    }
}
