//! Tasks: the read model `task_list`.

mod page;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use migrations::{JsonText, TaskListRow};
use schemas::registry::allowed_commands;
use serde_json::Value;
use uuid::Uuid;

use super::agent_list::Agent;
use super::event_journal::{self, EventConnection, EventFilter, EventOrder};
use super::loaders::{AgentKey, AttemptsOf, TaskKey};
use super::task_attempts::TaskAttempt;
use super::values::{self, TaskPriority, TaskState, TaskStatus};
use super::{Fallible, loaders};
use crate::cursor::PageArguments;
pub(crate) use page::{TaskConnection, TaskFilter, TaskOrder, list};

/// The unit of work under a lease.
#[derive(Clone)]
pub(crate) struct Task {
    row: TaskListRow,
    state: TaskState,
    status: TaskStatus,
    priority: TaskPriority,
}

impl TryFrom<TaskListRow> for Task {
    type Error = crate::problem::Problem;
    fn try_from(row: TaskListRow) -> Fallible<Self> {
        Ok(Self {
            state: values::known(&row.state, "state")?,
            status: values::known(&row.status, "status")?,
            priority: values::known(&row.priority, "priority")?,
            row,
        })
    }
}

/// A lease of a task.
#[derive(SimpleObject)]
struct TaskLease {
    /// Id of the lease.
    id: ID,
    /// Token of the lease; rises with every lease of the task.
    fencing_token: i64,
    /// It runs to this instant; none once it ended.
    expires_at: Option<DateTime<Utc>>,
}

/// The last failure of a task.
#[derive(SimpleObject)]
struct TaskFailure {
    /// Where it failed: `execute`, `timeout` or `compensate`.
    stage: String,
    /// Short reason.
    reason: Option<String>,
    /// Error text for people.
    error: Option<String>,
}

/// The unit of work under a lease.
#[Object]
impl Task {
    /// Id, unique among everything that has one.
    pub(super) async fn id(&self) -> ID {
        self.row.id.into()
    }
    /// Version of the task: of the event that last changed it.
    async fn version(&self) -> i64 {
        self.row.version
    }
    /// Queue that hands it out.
    async fn queue(&self) -> &str {
        &self.row.queue
    }
    /// What kind of work it is.
    async fn kind(&self) -> &str {
        &self.row.r#type
    }
    /// Short title.
    async fn title(&self) -> &str {
        &self.row.title
    }
    /// Longer description.
    async fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
    }
    /// State in its life.
    async fn state(&self) -> TaskState {
        self.state
    }
    /// Commands that its state allows now, in the order of its life, for example `task.cancel`. One of them may
    /// still be refused, when a condition of `docs/state-machines.md` does not hold.
    async fn allowed_commands(&self) -> Vec<&'static str> {
        allowed_commands("task", &self.row.state)
    }
    /// One of six public states, derived from the state.
    async fn status(&self) -> TaskStatus {
        self.status
    }
    /// Urgency inside its queue.
    async fn priority(&self) -> TaskPriority {
        self.priority
    }
    /// Input for the worker.
    async fn payload(&self) -> Value {
        self.row.payload.value()
    }
    /// Result of the work, once it is done.
    async fn result(&self) -> Option<Value> {
        self.row.result.as_ref().map(JsonText::value)
    }
    /// Capabilities that a worker needs, an array of texts.
    async fn requirements(&self) -> Value {
        self.row.requirements.value()
    }
    /// Ids of the tasks that must succeed first, an array.
    async fn depends_on(&self) -> Value {
        self.row.depends_on.value()
    }
    /// Leases, attempts and waits, an object.
    async fn policy(&self) -> Value {
        self.row.policy.value()
    }
    /// Free labels, an object of texts.
    async fn metadata(&self) -> Value {
        self.row.metadata.value()
    }
    /// Whether it waits, or waited, to be enqueued by hand.
    async fn hold(&self) -> bool {
        self.row.hold
    }
    /// Who holds it, or held it when it ended; none while it waits.
    async fn worker(&self) -> Option<&str> {
        self.row.worker.as_deref()
    }
    /// The lease that it has, or had when it ended; none while it waits for one.
    async fn lease(&self) -> Option<TaskLease> {
        let (fencing_token, expires_at) = (self.row.fencing_token, self.row.lease_expires_at);
        self.row.lease_id.map(|id| TaskLease { id: id.into(), fencing_token, expires_at })
    }
    /// 1-based number of the last attempt since creation or redrive, 0 before the first.
    async fn attempt(&self) -> i64 {
        self.row.attempt
    }
    /// Attempts before it fails for good.
    async fn max_attempts(&self) -> i64 {
        self.row.max_attempts
    }
    /// How many attempts failed and were followed by a wait, over its whole life.
    async fn retry_count(&self) -> i64 {
        self.row.retry_count
    }
    /// How often it was redriven.
    async fn redrive_count(&self) -> i64 {
        self.row.redrive_count
    }
    /// How many stale fencing tokens were refused.
    async fn stale_tokens(&self) -> i64 {
        self.row.stale_tokens
    }
    /// Percent done in the present attempt.
    async fn progress(&self) -> i32 {
        self.row.progress
    }
    /// What is being done.
    async fn progress_note(&self) -> Option<&str> {
        self.row.progress_note.as_deref()
    }
    /// When it is expected to be done: as its worker said, else drawn from the pace so far.
    async fn estimated_completion(&self) -> Option<DateTime<Utc>> {
        self.row.estimated_completion
    }
    /// Its last failure; none before the first.
    async fn failure(&self) -> Option<TaskFailure> {
        let (reason, error) = (self.row.failure_reason.clone(), self.row.last_error.clone());
        self.row.failure_stage.clone().map(|stage| TaskFailure { stage, reason, error })
    }
    /// Why it was cancelled, given back, redriven, discarded or compensated last.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }
    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }
    /// When its last event happened.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.row.updated_at
    }
    /// When it ended; none while it lives.
    async fn completed_at(&self) -> Option<DateTime<Utc>> {
        self.row.completed_at
    }
    /// Since when it waits in its queue, while it does.
    async fn enqueued_at(&self) -> Option<DateTime<Utc>> {
        self.row.enqueued_at
    }
    /// When it was leased last.
    async fn assigned_at(&self) -> Option<DateTime<Utc>> {
        self.row.assigned_at
    }
    /// When work on it began last.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.row.started_at
    }
    /// It is not queued before this instant.
    async fn run_at(&self) -> Option<DateTime<Utc>> {
        self.row.run_at
    }
    /// When it is queued again, while it waits for that.
    async fn next_run_at(&self) -> Option<DateTime<Utc>> {
        self.row.next_run_at
    }
    /// It times out at this instant.
    async fn deadline(&self) -> Option<DateTime<Utc>> {
        self.row.deadline
    }
    /// When a running task was asked to stop.
    async fn cancel_requested_at(&self) -> Option<DateTime<Utc>> {
        self.row.cancel_requested_at
    }
    /// It is cancelled at this instant even without an answer of its worker.
    async fn grace_until(&self) -> Option<DateTime<Utc>> {
        self.row.grace_until
    }
    /// Who created it, `kind/id`.
    async fn created_by(&self) -> &str {
        &self.row.created_by
    }
    /// Correlation id of its creation.
    async fn correlation_id(&self) -> &str {
        &self.row.correlation_id
    }
    /// Position of the event that last changed it, `generation.shard.offset.index`.
    async fn position(&self) -> &str {
        &self.row.position
    }
    /// Id of the task that this one is a part of.
    async fn parent_id(&self) -> Option<ID> {
        self.row.parent_id.map(ID::from)
    }
    /// The task that this one is a part of.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Fallible<Task>> {
        loaders(ctx).load_one(TaskKey(self.row.parent_id?)).await.transpose()
    }
    /// The tasks that are parts of this one.
    async fn children(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Option<Fallible<TaskConnection>> {
        let filter = TaskFilter::parts_of(self.row.id);
        let arguments = PageArguments { first, last, after, before };
        Some(list(ctx, filter, TaskOrder::CreatedAsc, &arguments).await)
    }
    /// Its leases, the newest first.
    async fn attempts(&self, ctx: &Context<'_>, first: Option<i32>) -> Option<Fallible<Vec<TaskAttempt>>> {
        let key = AttemptsOf::new(self.row.id, first);
        Some(match key {
            Ok(key) => loaders(ctx).load_one(key).await.map(Option::unwrap_or_default),
            Err(problem) => Err(problem),
        })
    }
    /// The agent that holds it or held it when it ended, if its worker is one.
    async fn agent(&self, ctx: &Context<'_>) -> Option<Fallible<Agent>> {
        let worker = self.row.worker.as_deref()?;
        let id = Uuid::try_parse(worker.strip_prefix("agent/").unwrap_or(worker)).ok()?;
        loaders(ctx).load_one(AgentKey(id)).await.transpose()
    }
    /// Its events, the first one first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Option<Fallible<EventConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(event_journal::history(ctx, self.row.id, &arguments).await)
    }
    /// Events of it that fit the filter.
    async fn events(
        &self,
        ctx: &Context<'_>,
        filter: Option<EventFilter>,
        order: Option<EventOrder>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Option<Fallible<EventConnection>> {
        let arguments = PageArguments { first, after, ..PageArguments::default() };
        let filter = filter.unwrap_or_default().about(Some(self.row.id.into()));
        Some(event_journal::list(ctx, filter, order.unwrap_or_default(), &arguments).await)
    }
}

impl Task {
    /// The row behind it.
    pub(super) fn row(&self) -> &TaskListRow {
        &self.row
    }
}
