//! Loads what many nodes of one answer ask for in one statement each. Made anew for every request.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use chrono::{DateTime, Utc};
use migrations::{
    AGENT_LIST, AgentListRow, EVENT_JOURNAL, EventJournalRow, STATE_TRANSITIONS, StateTransitionsRow,
    TASK_ATTEMPTS, TASK_LIST, TaskAttemptsRow, TaskListRow,
};
use schemas::problem::Code;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::Fallible;
use super::agent_list::Agent;
use super::event_journal::Event;
use super::state_transitions::Transition;
use super::task_attempts::TaskAttempt;
use super::task_list::Task;
use crate::limits::{DEFAULT_PAGE, MAX_PAGE};
use crate::problem::Problem;
use crate::read_models::ReadModel;
use crate::reader::Reader;

/// Everything that is loaded in batches.
pub(crate) struct Loaders(pub(super) Arc<Reader>);

/// A task by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TaskKey(pub(super) Uuid);
/// An agent by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AgentKey(pub(super) Uuid);
/// An event by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EventKey(pub(super) Uuid);
/// The change of state of an event, by the event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TransitionOf(pub(super) Uuid);
/// How many leases an agent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LeasesOf(pub(super) Uuid);
/// Since when the oldest task of a queue waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct OldestIn(pub(super) String);
/// The newest leases of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AttemptsOf {
    task: Uuid,
    first: i64,
}

impl AttemptsOf {
    /// # Errors
    /// `invalid_query` when `first` is out of bounds.
    pub(super) fn new(task: Uuid, first: Option<i32>) -> Fallible<Self> {
        let first = first.map_or(DEFAULT_PAGE as i64, i64::from);
        if (1..=MAX_PAGE as i64).contains(&first) {
            Ok(Self { task, first })
        } else {
            Err(Problem::new(Code::InvalidQuery, format!("`first` must be 1 to {MAX_PAGE}")))
        }
    }
}

impl Loaders {
    /// Rows of a read model of which `column` is one of `ids`.
    async fn rows<R>(
        &self,
        model: ReadModel,
        columns: String,
        column: &'static str,
        ids: Vec<Uuid>,
    ) -> Fallible<Vec<R>>
    where
        R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(columns).push(" FROM gesta.").push(model.name()).push(" WHERE tenant = ");
        sql.push_bind(self.0.tenant().as_str().to_owned());
        sql.push(" AND ").push(column).push(" = ANY(").push_bind(ids).push(")");
        let mut connection = self.0.lend(&[model]).await?;
        Ok(sql.build_query_as().fetch_all(&mut *connection).await?)
    }
}

impl Loader<TaskKey> for Loaders {
    type Value = Task;
    type Error = Problem;

    async fn load(&self, keys: &[TaskKey]) -> Fallible<HashMap<TaskKey, Task>> {
        let ids = keys.iter().map(|key| key.0).collect();
        let rows: Vec<TaskListRow> =
            self.rows(ReadModel::TaskList, TASK_LIST.column_list(), "id", ids).await?;
        rows.into_iter().map(|row| Ok((TaskKey(row.id), Task::try_from(row)?))).collect()
    }
}

impl Loader<AgentKey> for Loaders {
    type Value = Agent;
    type Error = Problem;

    async fn load(&self, keys: &[AgentKey]) -> Fallible<HashMap<AgentKey, Agent>> {
        let ids = keys.iter().map(|key| key.0).collect();
        let rows: Vec<AgentListRow> =
            self.rows(ReadModel::AgentList, AGENT_LIST.column_list(), "id", ids).await?;
        rows.into_iter().map(|row| Ok((AgentKey(row.id), Agent::try_from(row)?))).collect()
    }
}

impl Loader<EventKey> for Loaders {
    type Value = Event;
    type Error = Problem;

    async fn load(&self, keys: &[EventKey]) -> Fallible<HashMap<EventKey, Event>> {
        let ids = keys.iter().map(|key| key.0).collect();
        let columns = EVENT_JOURNAL.column_list();
        let rows: Vec<EventJournalRow> = self.rows(ReadModel::EventJournal, columns, "event_id", ids).await?;
        Ok(rows.into_iter().map(|row| (EventKey(row.event_id), Event(row))).collect())
    }
}

impl Loader<TransitionOf> for Loaders {
    type Value = Transition;
    type Error = Problem;

    async fn load(&self, keys: &[TransitionOf]) -> Fallible<HashMap<TransitionOf, Transition>> {
        let ids = keys.iter().map(|key| key.0).collect();
        let columns = STATE_TRANSITIONS.column_list();
        let rows: Vec<StateTransitionsRow> =
            self.rows(ReadModel::StateTransitions, columns, "event_id", ids).await?;
        Ok(rows.into_iter().map(|row| (TransitionOf(row.event_id), Transition(row))).collect())
    }
}

impl Loader<AttemptsOf> for Loaders {
    type Value = Vec<TaskAttempt>;
    type Error = Problem;

    async fn load(&self, keys: &[AttemptsOf]) -> Fallible<HashMap<AttemptsOf, Vec<TaskAttempt>>> {
        let most = keys.iter().map(|key| key.first).max().unwrap_or(0);
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(TASK_ATTEMPTS.column_list()).push(
            " FROM (SELECT *, row_number() OVER (PARTITION BY task_id ORDER BY fencing_token DESC) AS newest
              FROM gesta.task_attempts WHERE tenant = ",
        );
        sql.push_bind(self.0.tenant().as_str().to_owned()).push(" AND task_id = ANY(");
        sql.push_bind(keys.iter().map(|key| key.task).collect::<Vec<_>>()).push(")) a WHERE newest <= ");
        sql.push_bind(most).push(" ORDER BY fencing_token DESC");
        let mut connection = self.0.lend(&[ReadModel::TaskAttempts]).await?;
        let rows: Vec<TaskAttemptsRow> = sql.build_query_as().fetch_all(&mut *connection).await?;
        drop(connection);
        let of = |key: &AttemptsOf| {
            let own = rows.iter().filter(|row| row.task_id == key.task).take(key.first as usize);
            own.cloned().map(TaskAttempt).collect()
        };
        Ok(keys.iter().map(|key| (*key, of(key))).collect())
    }
}

/// The names under which an agent may stand as the worker of a task.
pub(super) const LEASES_SQL: &str = "SELECT a.id, count(*) FROM unnest($2::uuid[]) AS a(id)
    JOIN gesta.task_list t ON t.tenant = $1 AND t.worker IN (a.id::text, 'agent/' || a.id::text)
    WHERE t.state IN ('assigned', 'running') GROUP BY a.id";

impl Loader<LeasesOf> for Loaders {
    type Value = i64;
    type Error = Problem;

    async fn load(&self, keys: &[LeasesOf]) -> Fallible<HashMap<LeasesOf, i64>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let query = sqlx::query_as(LEASES_SQL).bind(self.0.tenant().as_str()).bind(ids);
        let mut connection = self.0.lend(&[ReadModel::TaskList]).await?;
        let rows: Vec<(Uuid, i64)> = query.fetch_all(&mut *connection).await?;
        Ok(rows.into_iter().map(|(id, count)| (LeasesOf(id), count)).collect())
    }
}

/// One index look-up per queue, however many tasks wait in it.
const OLDEST_SQL: &str = "SELECT q.name, o.since FROM unnest($2::text[]) AS q(name)
    CROSS JOIN LATERAL (SELECT min(t.enqueued_at) AS since FROM gesta.task_list t
        WHERE t.tenant = $1 AND t.queue = q.name AND t.state = 'queued') o WHERE o.since IS NOT NULL";

impl Loader<OldestIn> for Loaders {
    type Value = DateTime<Utc>;
    type Error = Problem;

    async fn load(&self, keys: &[OldestIn]) -> Fallible<HashMap<OldestIn, DateTime<Utc>>> {
        let names: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let query = sqlx::query_as(OLDEST_SQL).bind(self.0.tenant().as_str()).bind(names);
        let mut connection = self.0.lend(&[ReadModel::TaskList]).await?;
        let rows: Vec<(String, DateTime<Utc>)> = query.fetch_all(&mut *connection).await?;
        Ok(rows.into_iter().map(|(name, since)| (OldestIn(name), since)).collect())
    }
}
