//! The root of every query. Each field takes `atLeast`, which the engine has honoured before any
//! resolver runs.

#![expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]

use async_graphql::{Context, ID, Object};

use super::agent_list::{self, Agent, AgentConnection, AgentFilter, AgentOrder};
use super::agent_stats::{self, AgentStats};
use super::causation::{self, Causation};
use super::dead_letters::{self, DeadLetter, DeadLetterConnection, DeadLetterFilter, DeadLetterOrder};
use super::event_journal::{self, EventConnection, EventFilter, EventOrder};
use super::loaders::{AgentKey, TaskKey};
use super::node::{self, Node};
use super::projections::{self, Projection};
use super::provenance::{self, Provenance, ProvenanceTable};
use super::queue_depth::{self, QueueConnection};
use super::repository_list::{self, Repository, RepositoryConnection, RepositoryFilter};
use super::search::{self, Search, SearchFilter, SearchMode};
use super::source_file_list::{self, SourceFileConnection, SourceFileFilter};
use super::task_list::{self, Task, TaskConnection, TaskFilter, TaskOrder};
use super::values::{self, ConsistencyToken};
use super::{Fallible, loaders};
use crate::cursor::PageArguments;

/// What can be asked.
pub(crate) struct Query;

/// What can be asked. Every field takes `atLeast`, the `position` of an earlier answer: it then waits,
/// at most a few seconds, until everything in that answer shows. The header `Gesta-After` does the
/// same for a whole request. All fields of one request see one moment; `extensions.position` of the
/// answer is its token.
#[Object]
impl Query {
    /// The task of an id; none when there is none.
    async fn task(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Task>> {
        loaders(ctx).load_one(TaskKey(values::uuid_of(&id)?)).await.transpose()
    }

    /// Tasks that fit the filter.
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        filter: Option<TaskFilter>,
        order: Option<TaskOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<TaskConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(task_list::list(ctx, filter.unwrap_or_default(), order.unwrap_or_default(), &arguments).await)
    }

    /// The agent of an id; none when there is none.
    async fn agent(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Agent>> {
        loaders(ctx).load_one(AgentKey(values::uuid_of(&id)?)).await.transpose()
    }

    /// Agents that fit the filter.
    async fn agents(
        &self,
        ctx: &Context<'_>,
        filter: Option<AgentFilter>,
        order: Option<AgentOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<AgentConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(agent_list::list(ctx, filter.unwrap_or_default(), order.unwrap_or_default(), &arguments).await)
    }

    /// How many agents there are in which status.
    async fn agent_stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<AgentStats>> {
        Some(agent_stats::stats(ctx).await)
    }

    /// Queues by name, with how many of their tasks are in each state.
    async fn queues(
        &self,
        ctx: &Context<'_>,
        name: Option<String>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<QueueConnection>> {
        Some(queue_depth::list(ctx, name, &PageArguments { first, last, after, before }).await)
    }

    /// The repository of an id; none when there is none.
    async fn repository(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Repository>> {
        repository_list::find(ctx, values::uuid_of(&id)?).await.transpose()
    }

    /// Repositories that fit the filter, the newest first.
    async fn repositories(
        &self,
        ctx: &Context<'_>,
        filter: Option<RepositoryFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<RepositoryConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(repository_list::list(ctx, filter.unwrap_or_default(), &arguments).await)
    }

    /// Source files that fit the filter, the newest first.
    async fn source_files(
        &self,
        ctx: &Context<'_>,
        filter: Option<SourceFileFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<SourceFileConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(source_file_list::list(ctx, filter.unwrap_or_default(), &arguments).await)
    }

    /// Chunks of code and of text that fit the words best, each with a citation. Identifiers are found by their
    /// parts: `where is the lease checked` finds `checkLease`.
    async fn search(
        &self,
        ctx: &Context<'_>,
        query: String,
        #[graphql(default)] mode: SearchMode,
        filter: Option<SearchFilter>,
        first: Option<i32>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Search>> {
        Some(search::search(ctx, &query, mode, filter.unwrap_or_default(), first).await)
    }

    /// The events of an aggregate, the first one first, with the changes of state that they made.
    async fn history(
        &self,
        ctx: &Context<'_>,
        id: ID,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<EventConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(event_journal::history(ctx, values::uuid_of(&id)?, &arguments).await)
    }

    /// Events that fit the filter.
    async fn events(
        &self,
        ctx: &Context<'_>,
        filter: Option<EventFilter>,
        order: Option<EventOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<EventConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(
            event_journal::list(ctx, filter.unwrap_or_default(), order.unwrap_or_default(), &arguments).await,
        )
    }

    /// Everything that one original request caused, as a tree; `id` is that of an event, a command or
    /// a correlation.
    async fn causation(
        &self,
        ctx: &Context<'_>,
        id: String,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Causation>> {
        causation::tree(ctx, &id).await.transpose()
    }

    /// Where a row comes from, or one field of it: the event that last changed it, its command, and who issued it.
    /// `field` is a column of the table, for example `progress_note`.
    async fn provenance(
        &self,
        ctx: &Context<'_>,
        table: ProvenanceTable,
        id: ID,
        field: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Provenance>> {
        provenance::find(ctx, table, id, field).await.transpose()
    }

    /// The dead letter of an id; none when there is none.
    async fn dead_letter(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<DeadLetter>> {
        dead_letters::find(ctx, values::uuid_of(&id)?).await.transpose()
    }

    /// Events that a projection could not read, and those that wait behind them, which fit the filter.
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        filter: Option<DeadLetterFilter>,
        order: Option<DeadLetterOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<DeadLetterConnection>> {
        let arguments = PageArguments { first, last, after, before };
        Some(dead_letters::list(ctx, filter.unwrap_or_default(), order.unwrap_or_default(), &arguments).await)
    }

    /// How far the read models are behind the log.
    async fn projections(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Vec<Projection>>> {
        Some(projections::list(ctx).await)
    }

    /// What an id names, whatever it is; none when it names nothing.
    async fn node(
        &self,
        ctx: &Context<'_>,
        id: ID,
        #[graphql(name = "atLeast")] _at_least: Option<ConsistencyToken>,
    ) -> Option<Fallible<Node>> {
        node::find(ctx, &id).await.transpose()
    }
}
