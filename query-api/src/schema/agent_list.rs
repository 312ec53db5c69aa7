//! Agents: the read model `agent_list`.

mod page;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use migrations::AgentListRow;
use schemas::registry::allowed_commands;
use serde_json::Value;

use super::event_journal::{self, EventConnection, EventFilter, EventOrder};
use super::loaders::LeasesOf;
use super::task_list::{self, TaskConnection, TaskFilter, TaskOrder};
use super::values::{self, AgentKind, AgentState, AgentStatus, Availability};
use super::{Fallible, loaders};
use crate::cursor::PageArguments;
pub(crate) use page::{AgentConnection, AgentFilter, AgentOrder, BUSY_SQL, list};

/// What works, with its lifecycle, liveness and capabilities.
#[derive(Clone)]
pub(crate) struct Agent {
    row: AgentListRow,
    kind: AgentKind,
    state: AgentState,
    status: AgentStatus,
    /// By its own events, which know nothing of leases.
    availability: Availability,
}

impl TryFrom<AgentListRow> for Agent {
    type Error = crate::problem::Problem;
    fn try_from(row: AgentListRow) -> Fallible<Self> {
        Ok(Self {
            kind: values::known(&row.kind, "kind")?,
            state: values::known(&row.lifecycle_state, "lifecycle_state")?,
            status: values::known(&row.status, "status")?,
            availability: values::known(&row.availability, "availability")?,
            row,
        })
    }
}

impl Agent {
    /// The row behind it.
    pub(super) fn row(&self) -> &AgentListRow {
        &self.row
    }

    async fn held(&self, ctx: &Context<'_>) -> Fallible<i64> {
        loaders(ctx).load_one(LeasesOf(self.row.id)).await.map(Option::unwrap_or_default)
    }
}

/// The pause of an agent.
#[derive(SimpleObject)]
struct AgentPause {
    /// Since when.
    since: DateTime<Utc>,
    /// Who paused it, `kind/id`.
    by: Option<String>,
    /// The state that a resume leads to.
    resume_to: Option<String>,
}

/// What works, with its lifecycle, liveness and capabilities.
#[Object]
impl Agent {
    /// Id, unique among everything that has one.
    pub(super) async fn id(&self) -> ID {
        self.row.id.into()
    }
    /// Version of the agent: of the event that last changed it.
    async fn version(&self) -> i64 {
        self.row.version
    }
    /// What process it is.
    async fn kind(&self) -> AgentKind {
        self.kind
    }
    /// Name for people.
    async fn label(&self) -> Option<&str> {
        self.row.label.as_deref()
    }
    /// Model that it runs on.
    async fn model(&self) -> &str {
        &self.row.model
    }
    /// What it shall do.
    async fn task(&self) -> Option<&str> {
        self.row.task.as_deref()
    }
    /// Team that it belongs to.
    async fn team_id(&self) -> Option<ID> {
        self.row.team_id.map(ID::from)
    }
    /// State in its life.
    async fn state(&self) -> AgentState {
        self.state
    }
    /// Commands that its state allows now, in the order of its life, for example `agent.pause`. One of them may
    /// still be refused, when a condition of `docs/state-machines.md` does not hold.
    async fn allowed_commands(&self) -> Vec<&'static str> {
        allowed_commands("agent", &self.row.lifecycle_state)
    }
    /// Status, derived from the state.
    async fn status(&self) -> AgentStatus {
        self.status
    }
    /// Whether it can take work: an idle one that holds a lease is busy.
    async fn availability(&self, ctx: &Context<'_>) -> Option<Fallible<Availability>> {
        if self.availability != Availability::Idle {
            return Some(Ok(self.availability));
        }
        let leases = self.held(ctx).await;
        Some(leases.map(|leases| if leases > 0 { Availability::Busy } else { Availability::Idle }))
    }
    /// How many leases it holds.
    async fn leases(&self, ctx: &Context<'_>) -> Option<Fallible<i64>> {
        Some(self.held(ctx).await)
    }
    /// Settings of the process.
    async fn config(&self) -> Value {
        self.row.config.value()
    }
    /// What it started out knowing.
    async fn context(&self) -> Value {
        self.row.context.value()
    }
    /// Code that it started from.
    async fn code(&self) -> Option<&str> {
        self.row.code.as_deref()
    }
    /// Reasoning that it started from.
    async fn reasoning(&self) -> Option<&str> {
        self.row.reasoning.as_deref()
    }
    /// What it must not do.
    async fn safety_boundaries(&self) -> Value {
        self.row.safety_boundaries.value()
    }
    /// What it can do, an array of texts.
    async fn capabilities(&self) -> Value {
        self.row.capabilities.value()
    }
    /// Roles that it plays, an array of texts.
    async fn roles(&self) -> Value {
        self.row.roles.value()
    }
    /// Labels to find it by, an array of texts.
    async fn labels(&self) -> Value {
        self.row.labels.value()
    }
    /// Free labels, an object of texts.
    async fn metadata(&self) -> Value {
        self.row.metadata.value()
    }
    /// It counts as alive until this instant.
    async fn alive_until(&self) -> Option<DateTime<Utc>> {
        self.row.alive_until
    }
    /// Its last recorded sign of life.
    async fn last_heartbeat(&self) -> Option<DateTime<Utc>> {
        self.row.last_heartbeat
    }
    /// Session that it runs in.
    async fn session_id(&self) -> Option<ID> {
        self.row.session_id.map(ID::from)
    }
    /// Path of its worktree.
    async fn worktree(&self) -> Option<&str> {
        self.row.worktree.as_deref()
    }
    /// Ids of its commits, an array of texts.
    async fn commits(&self) -> Value {
        self.row.commits.value()
    }
    /// 1-based number of the incarnation.
    async fn incarnation(&self) -> i64 {
        self.row.incarnation
    }
    /// When it was asked for.
    async fn spawned_at(&self) -> DateTime<Utc> {
        self.row.spawned_at
    }
    /// When its last event happened.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.row.updated_at
    }
    /// When it ended; none while it lives.
    async fn completed_at(&self) -> Option<DateTime<Utc>> {
        self.row.completed_at
    }
    /// Its pause, while it is paused.
    async fn pause(&self) -> Option<AgentPause> {
        let (by, resume_to) = (self.row.paused_by.clone(), self.row.resume_to.clone());
        self.row.pause_time.map(|since| AgentPause { since, by, resume_to })
    }
    /// Seconds of executing so far; waiting and pauses do not count.
    async fn runtime_seconds(&self) -> f64 {
        let present =
            self.row.executing_since.map_or(0, |since| (Utc::now() - since).num_milliseconds().max(0));
        (self.row.runtime_ms + present) as f64 / 1_000.0
    }
    /// What it asks, while it waits.
    async fn prompt(&self) -> Option<&str> {
        self.row.prompt.as_deref()
    }
    /// It fails at this instant without input, while it waits.
    async fn input_deadline(&self) -> Option<DateTime<Utc>> {
        self.row.input_deadline
    }
    /// What came of its task.
    async fn summary(&self) -> Option<&str> {
        self.row.summary.as_deref()
    }
    /// Retries so far.
    async fn retry_count(&self) -> i64 {
        self.row.retry_count
    }
    /// How often it may be retried.
    async fn max_retries(&self) -> i64 {
        self.row.max_retries
    }
    /// Error text of its last failure.
    async fn last_error(&self) -> Option<&str> {
        self.row.last_error.as_deref()
    }
    /// Why it was paused, drained, killed or restarted last.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }
    /// Most it may spend, a decimal.
    async fn budget_limit(&self) -> Option<&str> {
        self.row.budget_limit.as_deref()
    }
    /// Whether it is hidden from lists.
    async fn archived(&self) -> bool {
        self.row.archived
    }
    /// Who asked for it, `kind/id`.
    async fn created_by(&self) -> &str {
        &self.row.created_by
    }
    /// Correlation id of its spawning.
    async fn correlation_id(&self) -> &str {
        &self.row.correlation_id
    }
    /// Position of the event that last changed it, `generation.shard.offset.index`.
    async fn position(&self) -> &str {
        &self.row.position
    }
    /// The tasks that it holds or held when they ended, the newest first.
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Option<Fallible<TaskConnection>> {
        let filter = TaskFilter::of_worker(vec![self.row.id.to_string(), format!("agent/{}", self.row.id)]);
        let arguments = PageArguments { first, last, after, before };
        Some(task_list::list(ctx, filter, TaskOrder::default(), &arguments).await)
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
