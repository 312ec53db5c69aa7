//! Pages of tasks: filter, order, keyset.

use std::marker::PhantomData;

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Enum, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use migrations::{TASK_LIST, TaskListRow};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::Task;
use crate::cursor::{Order, PageArguments};
use crate::read_models::ReadModel;
use crate::schema::Fallible;
use crate::schema::listing::{Key, Listing, any_of, instant, is_id};
use crate::schema::values::{self, TaskPriority, TaskState, TaskStatus};

/// A page of tasks.
pub(crate) type TaskConnection = Connection<String, Task, TaskTotal, EmptyFields>;

static TASKS: Listing<TaskListRow> = Listing {
    field: "tasks",
    columns: || TASK_LIST.column_list(),
    row: PhantomData,
    from: " FROM gesta.task_list WHERE tenant = ",
    models: &[ReadModel::TaskList],
};

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
        any_of(sql, " AND state = ANY(", self.state.as_deref().map(values::columns));
        any_of(sql, " AND status = ANY(", self.status.as_deref().map(values::columns));
        any_of(sql, " AND priority = ANY(", self.priority.as_deref().map(values::columns));
        any_of(sql, " AND queue = ANY(", self.queue.clone());
        any_of(sql, " AND type = ANY(", self.kind.clone());
        any_of(sql, " AND worker = ANY(", self.worker.clone());
        any_of(sql, " AND correlation_id = ANY(", self.correlation_id.clone().map(|id| vec![id]));
        is_id(sql, " AND parent_id = ", self.parent_id.as_ref(), "parentId")?;
        instant(sql, " AND created_at >= ", self.created_after);
        instant(sql, " AND created_at < ", self.created_before);
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
        Some(TASKS.count(ctx, |sql| self.0.restrict(sql)).await)
    }
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
    let mut page = TASKS.page(ctx, &(&filter, order), arguments)?;
    filter.restrict(&mut page.sql)?;
    page.read(ctx, order.order(), TaskTotal(filter), |task: &Task| order.key(task.row())).await
}
