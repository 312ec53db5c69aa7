//! Pages of tasks: filter, order, keyset.

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Enum, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use migrations::{TASK_LIST, TaskListRow};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::Task;
use crate::cursor::{Order, Page, PageArguments, Shape};
use crate::read_models::ReadModel;
use crate::schema::values::{self, TaskPriority, TaskState, TaskStatus};
use crate::schema::{Fallible, reader};

/// A page of tasks.
pub(crate) type TaskConnection = Connection<String, Task, TaskTotal, EmptyFields>;

/// Which tasks; every part that is given must hold, of a list any one value.
#[derive(Debug, Clone, Default, InputObject, Serialize)]
pub(crate) struct TaskFilter {
    /// States.
    state: Option<Vec<TaskState>>,
    /// Public states.
    status: Option<Vec<TaskStatus>>,
    /// Queues.
    queue: Option<Vec<String>>,
    /// Kinds of work.
    kind: Option<Vec<String>>,
    /// Workers that hold them, or held them when they ended.
    worker: Option<Vec<String>>,
    /// Task that they are parts of.
    parent_id: Option<ID>,
    /// Urgencies.
    priority: Option<Vec<TaskPriority>>,
    /// Created at this instant or later.
    created_after: Option<DateTime<Utc>>,
    /// Created before this instant.
    created_before: Option<DateTime<Utc>>,
    /// Correlation id of their creation.
    correlation_id: Option<String>,
}

impl TaskFilter {
    /// The parts of one task.
    pub(crate) fn parts_of(parent: Uuid) -> Self {
        Self { parent_id: Some(parent.into()), ..Self::default() }
    }

    /// The tasks of one worker, under any of its names.
    pub(crate) fn of_worker(names: Vec<String>) -> Self {
        Self { worker: Some(names), ..Self::default() }
    }

    /// Adds the filter to a statement that has a `WHERE`.
    fn restrict(&self, sql: &mut QueryBuilder<Postgres>) -> Fallible<()> {
        for (texts, name) in [(&self.queue, "queue"), (&self.kind, "kind"), (&self.worker, "worker")] {
            values::bounded(texts.as_ref(), name)?;
        }
        let enums = [
            (" AND state = ANY(", self.state.as_ref().map(|values| values::columns(values))),
            (" AND status = ANY(", self.status.as_ref().map(|values| values::columns(values))),
            (" AND priority = ANY(", self.priority.as_ref().map(|values| values::columns(values))),
            (" AND queue = ANY(", self.queue.clone()),
            (" AND type = ANY(", self.kind.clone()),
            (" AND worker = ANY(", self.worker.clone()),
            (" AND correlation_id = ANY(", self.correlation_id.clone().map(|id| vec![id])),
        ];
        for (condition, values) in enums {
            if let Some(values) = values {
                sql.push(condition).push_bind(values).push(")");
            }
        }
        if let Some(parent) = values::filter_uuid(self.parent_id.as_ref(), "parentId")? {
            sql.push(" AND parent_id = ").push_bind(parent);
        }
        if let Some(instant) = self.created_after {
            sql.push(" AND created_at >= ").push_bind(instant);
        }
        if let Some(instant) = self.created_before {
            sql.push(" AND created_at < ").push_bind(instant);
        }
        Ok(())
    }
}

/// The order of a page of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum, Serialize)]
pub(crate) enum TaskOrder {
    /// The newest first.
    #[default]
    CreatedDesc,
    /// The oldest first.
    CreatedAsc,
    /// The last changed first. Rows move while you page.
    UpdatedDesc,
}

/// Instant in microseconds, then id.
type Key = (i64, Uuid);

impl TaskOrder {
    fn order(self) -> Order {
        let (row, ascending, descending) = match self {
            Self::CreatedDesc | Self::CreatedAsc => {
                ("(created_at, id)", "created_at, id", "created_at DESC, id DESC")
            }
            Self::UpdatedDesc => ("(updated_at, id)", "updated_at, id", "updated_at DESC, id DESC"),
        };
        Order { row, ascending, descending, is_descending: self != Self::CreatedAsc }
    }

    fn key(self, row: &TaskListRow) -> Key {
        let at = if self == Self::UpdatedDesc { row.updated_at } else { row.created_at };
        (at.timestamp_micros(), row.id)
    }
}

/// What a page of tasks says about all of them.
pub(crate) struct TaskTotal(TaskFilter);

/// What a page of tasks says about all of them.
#[Object]
impl TaskTotal {
    /// How many tasks fit the filter, on all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Fallible<i64>> {
        Some(count(ctx, &self.0).await)
    }
}

async fn count(ctx: &Context<'_>, filter: &TaskFilter) -> Fallible<i64> {
    let reader = reader(ctx);
    let mut sql = QueryBuilder::new("SELECT count(*) FROM gesta.task_list WHERE tenant = ");
    sql.push_bind(reader.tenant().as_str().to_owned());
    filter.restrict(&mut sql)?;
    let mut connection = reader.lend(&[ReadModel::TaskList]).await?;
    Ok(sql.build_query_scalar().fetch_one(&mut *connection).await?)
}

/// A page of tasks.
///
/// # Errors
/// A cursor, page size or filter that is not usable; the database is away.
pub(crate) async fn list(
    ctx: &Context<'_>,
    filter: TaskFilter,
    order: TaskOrder,
    arguments: &PageArguments,
) -> Fallible<TaskConnection> {
    let reader = reader(ctx);
    let shape = Shape::new(reader.tenant(), "tasks", &(&filter, order));
    let page = Page::<Key>::new(shape, arguments)?;
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(TASK_LIST.column_list()).push(" FROM gesta.task_list WHERE tenant = ");
    sql.push_bind(reader.tenant().as_str().to_owned());
    filter.restrict(&mut sql)?;
    page.restrict(&mut sql, order.order(), |sql, (micros, id)| {
        sql.push_bind(DateTime::from_timestamp_micros(*micros)).push(", ").push_bind(*id);
    });
    let mut connection = reader.lend(&[ReadModel::TaskList]).await?;
    let rows: Vec<TaskListRow> = sql.build_query_as().fetch_all(&mut *connection).await?;
    drop(connection);
    let tasks = rows.into_iter().map(Task::try_from).collect::<Fallible<Vec<_>>>()?;
    Ok(page.connect(tasks, TaskTotal(filter), |task| order.key(task.row()), |task| task))
}
