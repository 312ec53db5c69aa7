//! Pages of agents: filter (AGENT-10), order, keyset.

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Enum, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use migrations::{AGENT_LIST, AgentListRow};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::Agent;
use crate::cursor::{Order, Page, PageArguments, Shape};
use crate::read_models::ReadModel;
use crate::schema::values::{self, AgentKind, AgentState, AgentStatus, Availability};
use crate::schema::{Fallible, reader};

/// A page of agents.
pub(crate) type AgentConnection = Connection<String, Agent, AgentTotal, EmptyFields>;

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
        let lists = [
            (" AND a.status = ANY(", self.status.as_ref().map(|values| values::columns(values))),
            (" AND a.lifecycle_state = ANY(", self.state.as_ref().map(|values| values::columns(values))),
            (" AND a.kind = ANY(", self.kind.as_ref().map(|values| values::columns(values))),
            (" AND a.model = ANY(", self.model.clone()),
        ];
        for (condition, values) in lists {
            if let Some(values) = values {
                sql.push(condition).push_bind(values).push(")");
            }
        }
        if let Some(labels) = &self.labels {
            sql.push(" AND a.labels @> ").push_bind(serde_json::json!(labels));
        }
        if let Some(values) = &self.availability {
            sql.push(" AND ").push(BUSY_SQL).push(" = ANY(").push_bind(values::columns(values)).push(")");
        }
        if let Some(team) = values::filter_uuid(self.team_id.as_ref(), "teamId")? {
            sql.push(" AND a.team_id = ").push_bind(team);
        }
        if let Some(instant) = self.created_after {
            sql.push(" AND a.spawned_at >= ").push_bind(instant);
        }
        if let Some(instant) = self.created_before {
            sql.push(" AND a.spawned_at < ").push_bind(instant);
        }
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

/// Instant in microseconds, then id.
type Key = (i64, Uuid);

/// What a page of agents says about all of them.
pub(crate) struct AgentTotal(AgentFilter);

/// What a page of agents says about all of them.
#[Object]
impl AgentTotal {
    /// How many agents fit the filter, on all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Fallible<i64>> {
        Some(count(ctx, &self.0).await)
    }
}

async fn count(ctx: &Context<'_>, filter: &AgentFilter) -> Fallible<i64> {
    let reader = reader(ctx);
    let mut sql = QueryBuilder::new("SELECT count(*) FROM gesta.agent_list a WHERE a.tenant = ");
    sql.push_bind(reader.tenant().as_str().to_owned());
    filter.restrict(&mut sql)?;
    let mut connection = reader.lend(&[ReadModel::AgentList, ReadModel::TaskList]).await?;
    Ok(sql.build_query_scalar().fetch_one(&mut *connection).await?)
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
    let reader = reader(ctx);
    let page = Page::<Key>::new(Shape::new(reader.tenant(), "agents", &(&filter, order)), arguments)?;
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(AGENT_LIST.column_list()).push(" FROM gesta.agent_list a WHERE a.tenant = ");
    sql.push_bind(reader.tenant().as_str().to_owned());
    filter.restrict(&mut sql)?;
    let by = Order {
        row: "(spawned_at, id)",
        ascending: "spawned_at, id",
        descending: "spawned_at DESC, id DESC",
        is_descending: order == AgentOrder::SpawnedDesc,
    };
    page.restrict(&mut sql, by, |sql, (micros, id)| {
        sql.push_bind(DateTime::from_timestamp_micros(*micros)).push(", ").push_bind(*id);
    });
    let mut connection = reader.lend(&[ReadModel::AgentList, ReadModel::TaskList]).await?;
    let rows: Vec<AgentListRow> = sql.build_query_as().fetch_all(&mut *connection).await?;
    drop(connection);
    let agents = rows.into_iter().map(Agent::try_from).collect::<Fallible<Vec<_>>>()?;
    let key = |agent: &Agent| (agent.row().spawned_at.timestamp_micros(), agent.row().id);
    Ok(page.connect(agents, AgentTotal(filter), key, |agent| agent))
}
