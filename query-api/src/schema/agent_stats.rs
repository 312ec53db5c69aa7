//! Figures of all agents (AGENT-12): counted over the read model `agent_list`.

use async_graphql::{Context, SimpleObject};
use sqlx::QueryBuilder;

use super::agent_list::BUSY_SQL;
use super::{Fallible, reader};
use crate::read_models::ReadModel;

/// How many agents there are, archived ones left out.
#[derive(SimpleObject, sqlx::FromRow)]
pub(crate) struct AgentStats {
    /// All of them.
    total: i64,
    /// Not existing as a process yet.
    pending: i64,
    /// Being started.
    initializing: i64,
    /// Executing, waiting, or ending their work.
    running: i64,
    /// Paused.
    paused: i64,
    /// Ended well.
    completed: i64,
    /// Failed.
    failed: i64,
    /// Killed.
    killed: i64,
    /// Of the living ones: able to take a task now.
    idle: i64,
    /// Of the living ones: holding a lease.
    busy: i64,
    /// Of the living ones: taking no new tasks.
    draining: i64,
    /// Of the living ones: without a sign of life in time.
    offline: i64,
}

const COUNTS_SQL: &str = "SELECT count(*) AS total,
    count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (WHERE status = 'initializing') AS initializing,
    count(*) FILTER (WHERE status = 'running') AS running,
    count(*) FILTER (WHERE status = 'paused') AS paused,
    count(*) FILTER (WHERE status = 'completed') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'killed') AS killed,
    count(*) FILTER (WHERE lives AND availability = 'idle') AS idle,
    count(*) FILTER (WHERE lives AND availability = 'busy') AS busy,
    count(*) FILTER (WHERE lives AND availability = 'draining') AS draining,
    count(*) FILTER (WHERE lives AND availability = 'offline') AS offline
    FROM (SELECT a.status, a.completed_at IS NULL AS lives, ";

/// Counts the tenant's agents.
///
/// # Errors
/// The database is away.
pub(super) async fn stats(ctx: &Context<'_>) -> Fallible<AgentStats> {
    let reader = reader(ctx);
    let mut sql = QueryBuilder::new(COUNTS_SQL);
    sql.push(BUSY_SQL).push(" AS availability FROM gesta.agent_list a WHERE NOT a.archived AND a.tenant = ");
    sql.push_bind(reader.tenant().as_str().to_owned()).push(") counted");
    let mut connection = reader.lend(&[ReadModel::AgentList, ReadModel::TaskList]).await?;
    Ok(sql.build_query_as().fetch_one(&mut *connection).await?)
}
