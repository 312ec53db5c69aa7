//! Pages of agents: filter (AGENT-10), order, keyset.

use std::marker::PhantomData;

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Enum, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use migrations::{AGENT_LIST, AgentListRow};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};

use super::Agent;
use crate::cursor::{Order, PageArguments};
use crate::read_models::ReadModel;
use crate::schema::Fallible;
use crate::schema::listing::{Listing, any_of, instant, is_id};
use crate::schema::values::{self, AgentKind, AgentState, AgentStatus, Availability};

/// A page of agents.
pub(crate) type AgentConnection = Connection<String, Agent, AgentTotal, EmptyFields>;

static AGENTS: Listing<AgentListRow> = Listing {
    field: "agents",
    columns: || AGENT_LIST.column_list(),
    row: PhantomData,
    from: " FROM gesta.agent_list a WHERE a.tenant = ",
    models: &[ReadModel::AgentList, ReadModel::TaskList],
};

/// Availability of an agent `a`, its leases considered.
pub(crate) const BUSY_SQL: &str = "CASE WHEN a.availability = 'idle' AND EXISTS (
    SELECT FROM gesta.task_list t WHERE t.tenant = a.tenant AND t.worker IN (a.id::text, 'agent/' || a.id::text)
    AND t.state IN ('assigned', 'running')) THEN 'busy' ELSE a.availability END";

/// Which agents; every part that is given must hold, of a list any one value.
#[derive(Debug, Clone, Default, InputObject, Serialize)]
pub(crate) struct AgentFilter {
    /// Statuses.
    status: Option<Vec<AgentStatus>>,
    /// States of their life.
    state: Option<Vec<AgentState>>,
    /// Team that they belong to.
    team_id: Option<ID>,
    /// Models that they run on.
    model: Option<Vec<String>>,
    /// Labels; an agent must have every one.
    labels: Option<Vec<String>>,
    /// What processes they are.
    kind: Option<Vec<AgentKind>>,
    /// Whether they can take work.
    availability: Option<Vec<Availability>>,
    /// Asked for at this instant or later.
    created_after: Option<DateTime<Utc>>,
    /// Asked for before this instant.
    created_before: Option<DateTime<Utc>>,
    /// Archived ones instead of the others.
    #[graphql(default)]
    archived: bool,
}

impl AgentFilter {
    /// Adds the filter to a statement on `gesta.agent_list a` that has a `WHERE`.
    fn restrict(&self, sql: &mut QueryBuilder<Postgres>) -> Fallible<()> {
        for (texts, name) in [(&self.model, "model"), (&self.labels, "labels")] {
            values::bounded(texts.as_ref(), name)?;
        }
        sql.push(" AND a.archived = ").push_bind(self.archived);
        any_of(sql, " AND a.status = ANY(", self.status.as_deref().map(values::columns));
        any_of(sql, " AND a.lifecycle_state = ANY(", self.state.as_deref().map(values::columns));
        any_of(sql, " AND a.kind = ANY(", self.kind.as_deref().map(values::columns));
        any_of(sql, " AND a.model = ANY(", self.model.clone());
        if let Some(labels) = &self.labels {
            sql.push(" AND a.labels @> ").push_bind(serde_json::json!(labels));
        }
        if let Some(values) = &self.availability {
            sql.push(" AND ").push(BUSY_SQL).push(" = ANY(").push_bind(values::columns(values)).push(")");
        }
        is_id(sql, " AND a.team_id = ", self.team_id.as_ref(), "teamId")?;
        instant(sql, " AND a.spawned_at >= ", self.created_after);
        instant(sql, " AND a.spawned_at < ", self.created_before);
        Ok(())
    }
}

/// The order of a page of agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum, Serialize)]
pub(crate) enum AgentOrder {
    /// The newest first.
    #[default]
    SpawnedDesc,
    /// The oldest first.
    SpawnedAsc,
}

/// What a page of agents says about all of them.
pub(crate) struct AgentTotal(AgentFilter);

/// What a page of agents says about all of them.
#[Object]
impl AgentTotal {
    /// How many agents fit the filter, on all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Fallible<i64>> {
        Some(AGENTS.count(ctx, |sql| self.0.restrict(sql)).await)
    }
}

/// A page of agents.
///
/// # Errors
/// A cursor, page size or filter that is not usable; the database is away.
pub(crate) async fn list(
    ctx: &Context<'_>,
    filter: AgentFilter,
    order: AgentOrder,
    arguments: &PageArguments,
) -> Fallible<AgentConnection> {
    let mut page = AGENTS.page(ctx, &(&filter, order), arguments)?;
    filter.restrict(&mut page.sql)?;
    let by = Order {
        row: "(spawned_at, id)",
        ascending: "spawned_at, id",
        descending: "spawned_at DESC, id DESC",
        is_descending: order == AgentOrder::SpawnedDesc,
    };
    let key = |agent: &Agent| (agent.row().spawned_at.timestamp_micros(), agent.row().id);
    page.read(ctx, by, AgentTotal(filter), key).await
}
