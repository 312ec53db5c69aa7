//! From a row back to the event that wrote it, the command, and who issued it.

use async_graphql::{Context, Enum, ID, Object};
use uuid::Uuid;

use super::event_journal::Event;
use super::loaders::EventKey;
use super::{Fallible, loaders, reader, values};
use crate::read_models::ReadModel;

/// A read model whose rows can be asked for their provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ProvenanceTable {
    /// Tasks; `id` is the task's.
    TaskList,
    /// Leases; `id` is the lease's.
    TaskAttempts,
    /// Agents; `id` is the agent's.
    AgentList,
    /// Queues; `id` is the queue's name. Its row is the one of the shard that changed last.
    QueueDepth,
    /// Changes of state; `id` is the event's.
    StateTransitions,
}

/// Where a row comes from: the event that last changed it.
pub(crate) struct Provenance {
    table: ProvenanceTable,
    id: ID,
    version: i64,
    event_id: Uuid,
    position: String,
}

/// Where a row comes from: the event that last changed it.
#[Object]
impl Provenance {
    /// The read model.
    async fn table(&self) -> ProvenanceTable {
        self.table
    }
    /// Id of the row.
    async fn id(&self) -> &ID {
        &self.id
    }
    /// Version of the row.
    async fn version(&self) -> i64 {
        self.version
    }
    /// Id of the event that last changed it.
    async fn event_id(&self) -> ID {
        self.event_id.into()
    }
    /// Position of that event, `generation.shard.offset.index`.
    async fn position(&self) -> &str {
        &self.position
    }
    /// That event: its payload, its command, its cause, and who issued it. None while the journal is
    /// behind the read model.
    async fn event(&self, ctx: &Context<'_>) -> Option<Fallible<Event>> {
        loaders(ctx).load_one(EventKey(self.event_id)).await.transpose()
    }
}

const TASK_SQL: &str =
    "SELECT version, event_id, position FROM gesta.task_list WHERE tenant = $1 AND id = $2";
const AGENT_SQL: &str =
    "SELECT version, event_id, position FROM gesta.agent_list WHERE tenant = $1 AND id = $2";
const ATTEMPT_SQL: &str =
    "SELECT version, event_id, position FROM gesta.task_attempts WHERE tenant = $1 AND lease_id = $2 LIMIT 1";
const TRANSITION_SQL: &str =
    "SELECT version, event_id, position FROM gesta.state_transitions WHERE tenant = $1 AND event_id = $2";
const QUEUE_SQL: &str = "SELECT version, event_id, position FROM gesta.queue_depth
    WHERE tenant = $1 AND queue = $2 ORDER BY updated_at DESC, shard LIMIT 1";

/// The provenance of a row; `None` when there is no such row.
///
/// # Errors
/// The database is away.
pub(super) async fn of_row(
    ctx: &Context<'_>,
    table: ProvenanceTable,
    id: ID,
) -> Fallible<Option<Provenance>> {
    let (sql, model) = match table {
        ProvenanceTable::TaskList => (TASK_SQL, ReadModel::TaskList),
        ProvenanceTable::TaskAttempts => (ATTEMPT_SQL, ReadModel::TaskAttempts),
        ProvenanceTable::AgentList => (AGENT_SQL, ReadModel::AgentList),
        ProvenanceTable::QueueDepth => (QUEUE_SQL, ReadModel::QueueDepth),
        ProvenanceTable::StateTransitions => (TRANSITION_SQL, ReadModel::StateTransitions),
    };
    let reader = reader(ctx);
    let query = sqlx::query_as(sql).bind(reader.tenant().as_str());
    let query = if table == ProvenanceTable::QueueDepth {
        query.bind(id.to_string())
    } else {
        let Some(uuid) = values::uuid_of(&id) else { return Ok(None) };
        query.bind(uuid)
    };
    let mut connection = reader.lend(&[model]).await?;
    let row: Option<(i64, Uuid, String)> = query.fetch_optional(&mut *connection).await?;
    Ok(row.map(|(version, event_id, position)| Provenance { table, id, version, event_id, position }))
}
