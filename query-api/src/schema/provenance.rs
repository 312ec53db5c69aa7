//! From a row, or a field of it, back to the event that wrote it, the command, and who issued it.

mod field;

use async_graphql::{Context, Enum, ID, Object};
use migrations::EventJournalRow;
use serde_json::Value;
use sqlx::FromRow;
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

impl ProvenanceTable {
    fn model(self) -> ReadModel {
        match self {
            Self::TaskList => ReadModel::TaskList,
            Self::TaskAttempts => ReadModel::TaskAttempts,
            Self::AgentList => ReadModel::AgentList,
            Self::QueueDepth => ReadModel::QueueDepth,
            Self::StateTransitions => ReadModel::StateTransitions,
        }
    }

    /// Selects the [`Source`] of a row by tenant and id.
    fn sql(self) -> &'static str {
        match self {
            Self::TaskList => {
                "SELECT id AS aggregate_id, version, event_id, position FROM gesta.task_list
                 WHERE tenant = $1 AND id = $2"
            }
            Self::AgentList => {
                "SELECT id AS aggregate_id, version, event_id, position FROM gesta.agent_list
                 WHERE tenant = $1 AND id = $2"
            }
            Self::TaskAttempts => {
                "SELECT task_id AS aggregate_id, version, event_id, position FROM gesta.task_attempts
                 WHERE tenant = $1 AND lease_id = $2 LIMIT 1"
            }
            Self::StateTransitions => {
                "SELECT aggregate_id, version, event_id, position FROM gesta.state_transitions
                 WHERE tenant = $1 AND event_id = $2"
            }
            // Many aggregates write a row of a queue.
            Self::QueueDepth => {
                "SELECT event_id AS aggregate_id, version, event_id, position FROM gesta.queue_depth
                 WHERE tenant = $1 AND queue = $2 ORDER BY updated_at DESC, shard LIMIT 1"
            }
        }
    }
}

/// The event that made a value.
#[derive(Debug, Clone, FromRow)]
struct Source {
    /// The aggregate that it happened to; of a queue, the event itself.
    aggregate_id: Uuid,
    version: i64,
    event_id: Uuid,
    position: String,
}

impl Source {
    fn of(event: &EventJournalRow) -> Self {
        let EventJournalRow { aggregate_id, version, event_id, position, .. } = event;
        let position = position.clone();
        Self { aggregate_id: *aggregate_id, version: *version, event_id: *event_id, position }
    }
}

/// Where a row, or a field of it, comes from: the event that last changed it.
pub(crate) struct Provenance {
    table: ProvenanceTable,
    id: ID,
    field: Option<String>,
    value: Option<Value>,
    source: Source,
}

/// Where a row, or a field of it, comes from: the event that last changed it.
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
    /// The field that was asked for; none for the row as a whole.
    async fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
    /// The value that the event gave to the field and that it has had since.
    async fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }
    /// Version that the event brought the row to.
    async fn version(&self) -> i64 {
        self.source.version
    }
    /// Id of the event.
    async fn event_id(&self) -> ID {
        self.source.event_id.into()
    }
    /// Position of the event, `generation.shard.offset.index`.
    async fn position(&self) -> &str {
        &self.source.position
    }
    /// The event: its payload, its command, its cause, and who issued it. None while the journal is
    /// behind the read model.
    async fn event(&self, ctx: &Context<'_>) -> Option<Fallible<Event>> {
        loaders(ctx).load_one(EventKey(self.source.event_id)).await.transpose()
    }
}

/// The provenance of a row, or of a field of it; `None` when there is no such row.
///
/// # Errors
/// No such field, a stream too long to follow, or the journal behind the row; the database is away.
pub(super) async fn find(
    ctx: &Context<'_>,
    table: ProvenanceTable,
    id: ID,
    field: Option<String>,
) -> Fallible<Option<Provenance>> {
    if let Some(field) = &field {
        field::check(table, field)?;
    }
    let uuid = values::uuid_of(&id);
    let reader = reader(ctx);
    let query = sqlx::query_as(table.sql()).bind(reader.tenant().as_str());
    let query = match (table, uuid) {
        (ProvenanceTable::QueueDepth, _) => query.bind(id.to_string()),
        (_, Some(uuid)) => query.bind(uuid),
        (_, None) => return Ok(None),
    };
    let mut connection = reader.lend(&[table.model()]).await?;
    let row: Option<Source> = query.fetch_optional(&mut *connection).await?;
    drop(connection);
    let Some(row) = row else { return Ok(None) };
    let (source, value) = match (&field, uuid) {
        (Some(field), Some(uuid)) => {
            let (source, value) = field::last_change(ctx, table, uuid, &row, field).await?;
            (source, Some(value))
        }
        _ => (row, None),
    };
    Ok(Some(Provenance { table, id, field, value, source }))
}
