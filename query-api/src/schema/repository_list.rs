//! Repositories: the read model `repository_list`.

use std::marker::PhantomData;

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use migrations::{REPOSITORY_LIST, RepositoryListRow};
use schemas::registry::allowed_commands;
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::listing::{Listing, any_of};
use super::values::{self, RepositoryState};
use super::{Fallible, reader};
use crate::cursor::{Order, PageArguments};
use crate::problem::Problem;
use crate::read_models::ReadModel;

/// A page of repositories.
pub(crate) type RepositoryConnection = Connection<String, Repository, RepositoryTotal, EmptyFields>;

static REPOSITORIES: Listing<RepositoryListRow> = Listing {
    field: "repositories",
    columns: || REPOSITORY_LIST.column_list(),
    row: PhantomData,
    from: " FROM gesta.repository_list WHERE tenant = ",
    models: &[ReadModel::RepositoryList],
};

/// Code that is indexed.
pub(crate) struct Repository {
    row: RepositoryListRow,
    state: RepositoryState,
}

impl TryFrom<RepositoryListRow> for Repository {
    type Error = Problem;
    fn try_from(row: RepositoryListRow) -> Fallible<Self> {
        Ok(Self { state: values::known(&row.state, "state")?, row })
    }
}

/// Code that is indexed.
#[Object]
impl Repository {
    /// Id, unique among everything that has one.
    async fn id(&self) -> ID {
        self.row.id.into()
    }
    /// Version of the repository: of the event that last changed it.
    async fn version(&self) -> i64 {
        self.row.version
    }
    /// Name.
    async fn name(&self) -> &str {
        &self.row.name
    }
    /// Where it comes from.
    async fn origin(&self) -> Option<&str> {
        self.row.origin.as_deref()
    }
    /// State in its life.
    async fn state(&self) -> RepositoryState {
        self.state
    }
    /// Why it was retired.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }
    /// Commands that its state allows now.
    async fn allowed_commands(&self) -> Vec<&'static str> {
        allowed_commands("repository", &self.row.state)
    }
    /// When it was registered.
    async fn registered_at(&self) -> DateTime<Utc> {
        self.row.registered_at
    }
    /// When its last event happened.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.row.updated_at
    }
}

/// Which repositories; every part that is given must hold, of a list any one value.
#[derive(Debug, Clone, Default, InputObject, Serialize)]
pub(crate) struct RepositoryFilter {
    /// Names.
    name: Option<Vec<String>>,
    /// States of their life.
    state: Option<Vec<RepositoryState>>,
}

impl RepositoryFilter {
    fn restrict(&self, sql: &mut QueryBuilder<Postgres>) -> Fallible<()> {
        values::bounded(self.name.as_ref(), "name")?;
        any_of(sql, " AND name = ANY(", self.name.clone());
        any_of(sql, " AND state = ANY(", self.state.as_deref().map(values::columns));
        Ok(())
    }
}

/// What a page of repositories says about all of them.
pub(crate) struct RepositoryTotal(RepositoryFilter);

/// What a page of repositories says about all of them.
#[Object]
impl RepositoryTotal {
    /// How many repositories fit the filter, on all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Fallible<i64>> {
        Some(REPOSITORIES.count(ctx, |sql| self.0.restrict(sql)).await)
    }
}

/// The repository of an id.
///
/// # Errors
/// The database is away.
pub(super) async fn find(ctx: &Context<'_>, id: Uuid) -> Fallible<Option<Repository>> {
    let reader = reader(ctx);
    let mut sql = QueryBuilder::new(format!(
        "SELECT {} FROM gesta.repository_list WHERE tenant = ",
        REPOSITORY_LIST.column_list()
    ));
    sql.push_bind(reader.tenant().as_str()).push(" AND id = ").push_bind(id);
    let mut connection = reader.lend(&[ReadModel::RepositoryList]).await?;
    let row: Option<RepositoryListRow> = sql.build_query_as().fetch_optional(&mut *connection).await?;
    row.map(Repository::try_from).transpose()
}

/// A page of repositories.
///
/// # Errors
/// A cursor, page size or filter that is not usable; the database is away.
pub(super) async fn list(
    ctx: &Context<'_>,
    filter: RepositoryFilter,
    arguments: &PageArguments,
) -> Fallible<RepositoryConnection> {
    let mut page = REPOSITORIES.page(ctx, &filter, arguments)?;
    filter.restrict(&mut page.sql)?;
    let by = Order {
        row: "(registered_at, id)",
        ascending: "registered_at, id",
        descending: "registered_at DESC, id DESC",
        is_descending: true,
    };
    let key = |repository: &Repository| (repository.row.registered_at.timestamp_micros(), repository.row.id);
    page.read(ctx, by, RepositoryTotal(filter), key).await
}
