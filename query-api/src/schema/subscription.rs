//! What can be followed live. Every item has a cursor; a client that comes back with it misses
//! nothing and gets nothing twice.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::sync::Arc;

use async_graphql::dataloader::Loader as _;
use async_graphql::{Context, ID, InputObject, SimpleObject, Subscription as SubscriptionRoot};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use migrations::EventJournalRow;

use super::agent_list::Agent;
use super::event_journal::{Event, EventFilter};
use super::loaders::{AgentKey, Loaders, TaskKey};
use super::task_list::Task;
use super::values::{self, TaskStatus};
use super::{Fallible, reader};
use crate::feed::{Feed, Passed};
use crate::progress::Progress;
use crate::read_models::ReadModel;
use crate::reader::Reader;

/// What can be followed.
pub(crate) struct Subscription;

/// An event was appended.
#[derive(SimpleObject)]
struct EventAppended {
    /// Pass it as `after` to go on behind this item.
    cursor: String,
    /// Token of everything up to this item, for `atLeast`. It includes the whole commit of the event, so it is no
    /// cursor.
    position: String,
    /// The event.
    event: Event,
}

/// A task changed.
#[derive(SimpleObject)]
struct TaskChanged {
    /// Pass it as `after` to go on behind this item.
    cursor: String,
    /// Token of everything up to this item, for `atLeast`. It includes the whole commit of the event, so it is no
    /// cursor.
    position: String,
    /// The event that changed it. Of several changes that are read at once, the last.
    event: Event,
    /// The task as it is now, perhaps newer than the event.
    task: Task,
}

/// An agent changed.
#[derive(SimpleObject)]
struct AgentChanged {
    /// Pass it as `after` to go on behind this item.
    cursor: String,
    /// Token of everything up to this item, for `atLeast`. It includes the whole commit of the event, so it is no
    /// cursor.
    position: String,
    /// The event that changed it. Of several changes that are read at once, the last.
    event: Event,
    /// The agent as it is now, perhaps newer than the event.
    agent: Agent,
}

/// Which tasks to follow; every part that is given must hold after the change.
#[derive(Debug, Clone, Default, InputObject)]
struct TaskChangedFilter {
    /// One task.
    id: Option<ID>,
    /// Queues.
    queue: Option<Vec<String>>,
    /// Kinds of work.
    kind: Option<Vec<String>>,
    /// Workers.
    worker: Option<Vec<String>>,
    /// Public states.
    status: Option<Vec<TaskStatus>>,
    /// Task that they are parts of.
    parent_id: Option<ID>,
}

impl TaskChangedFilter {
    fn admits(&self, task: &Task) -> bool {
        let row = task.row();
        let named = |names: &Option<Vec<String>>, name: Option<&str>| {
            names.as_ref().is_none_or(|names| name.is_some_and(|name| names.iter().any(|own| own == name)))
        };
        let parent = self.parent_id.as_ref().is_none_or(|id| values::uuid_of(id) == row.parent_id);
        let statuses = self.status.as_ref().map(|values| values::columns(values));
        parent
            && named(&self.queue, Some(&row.queue))
            && named(&self.kind, Some(&row.r#type))
            && named(&self.worker, row.worker.as_deref())
            && named(&statuses, Some(&row.status))
    }
}

/// Which agents to follow; every part that is given must hold after the change.
#[derive(Debug, Clone, Default, InputObject)]
struct AgentChangedFilter {
    /// One agent.
    id: Option<ID>,
    /// Team that they belong to.
    team_id: Option<ID>,
    /// Models that they run on.
    model: Option<Vec<String>>,
}

impl AgentChangedFilter {
    fn admits(&self, agent: &Agent) -> bool {
        let row = agent.row();
        let team = self.team_id.as_ref().is_none_or(|id| values::uuid_of(id) == row.team_id);
        team && self.model.as_ref().is_none_or(|models| models.contains(&row.model))
    }
}

/// What can be followed. Without `after` a subscription begins now; with it, behind the item of that
/// cursor, or behind the `position` of the answer to a command or a query.
#[SubscriptionRoot]
impl Subscription {
    /// Events as they are appended, by shard in the order of the log.
    async fn event_appended(
        &self,
        ctx: &Context<'_>,
        filter: Option<EventFilter>,
        after: Option<String>,
    ) -> BoxStream<'static, Option<Fallible<EventAppended>>> {
        let feed = feed(ctx, &[ReadModel::EventJournal], filter.unwrap_or_default(), after);
        let dress =
            |_, rows: Vec<EventJournalRow>| async { Ok(rows.into_iter().map(|row| (row, ())).collect()) };
        items(feed, dress, |Passed { cursor, position }, event, ()| EventAppended { cursor, position, event })
    }

    /// Tasks as they change.
    async fn task_changed(
        &self,
        ctx: &Context<'_>,
        filter: Option<TaskChangedFilter>,
        after: Option<String>,
    ) -> BoxStream<'static, Option<Fallible<TaskChanged>>> {
        let filter = filter.unwrap_or_default();
        let events = EventFilter::of_type("task").about(filter.id.clone());
        let feed = feed(ctx, &[ReadModel::TaskList, ReadModel::EventJournal], events, after);
        let filter = Arc::new(filter);
        let dress = move |reader: Arc<Reader>, rows| {
            let filter = filter.clone();
            async move {
                let rows = last_of_each(rows);
                let keys: Vec<_> = rows.iter().map(|row| TaskKey(row.aggregate_id)).collect();
                let tasks = Loaders(reader).load(&keys).await?;
                let found = rows.into_iter().filter_map(|row| {
                    let task = tasks.get(&TaskKey(row.aggregate_id)).filter(|task| filter.admits(task))?;
                    Some((row, task.clone()))
                });
                Ok(found.collect())
            }
        };
        items(feed, dress, |Passed { cursor, position }, event, task| TaskChanged {
            cursor,
            position,
            event,
            task,
        })
    }

    /// Agents as they change.
    async fn agent_changed(
        &self,
        ctx: &Context<'_>,
        filter: Option<AgentChangedFilter>,
        after: Option<String>,
    ) -> BoxStream<'static, Option<Fallible<AgentChanged>>> {
        let filter = filter.unwrap_or_default();
        let events = EventFilter::of_type("agent").about(filter.id.clone());
        let feed = feed(ctx, &[ReadModel::AgentList, ReadModel::EventJournal], events, after);
        let filter = Arc::new(filter);
        let dress = move |reader: Arc<Reader>, rows| {
            let filter = filter.clone();
            async move {
                let rows = last_of_each(rows);
                let keys: Vec<_> = rows.iter().map(|row| AgentKey(row.aggregate_id)).collect();
                let agents = Loaders(reader).load(&keys).await?;
                let found = rows.into_iter().filter_map(|row| {
                    let agent =
                        agents.get(&AgentKey(row.aggregate_id)).filter(|agent| filter.admits(agent))?;
                    Some((row, agent.clone()))
                });
                Ok(found.collect())
            }
        };
        items(feed, dress, |Passed { cursor, position }, event, agent| AgentChanged {
            cursor,
            position,
            event,
            agent,
        })
    }
}

fn feed(
    ctx: &Context<'_>,
    models: &[ReadModel],
    filter: EventFilter,
    after: Option<String>,
) -> Fallible<Feed> {
    let watch = ctx.data_unchecked::<Progress>().watch();
    Feed::new(reader(ctx).clone(), watch, models, filter, after.as_deref())
}

/// Of each aggregate the last event, in the order of the log. A cursor behind any of them is still
/// before the ones that follow, so nothing is lost by a resume between two.
fn last_of_each(rows: Vec<EventJournalRow>) -> Vec<EventJournalRow> {
    let mut seen = HashSet::new();
    let mut last: Vec<_> = rows.into_iter().rev().filter(|row| seen.insert(row.aggregate_id)).collect();
    last.reverse();
    last
}

/// Reads the feed, gives every event of a batch what belongs to it (`dress`, which may drop some), and
/// makes the items. Pulled by the socket: a slow client slows its own reading down and nothing else.
fn items<T, I, D, F>(
    feed: Fallible<Feed>,
    dress: D,
    item: fn(Passed, Event, T) -> I,
) -> BoxStream<'static, Option<Fallible<I>>>
where
    T: Send + 'static,
    I: Send + 'static,
    D: Fn(Arc<Reader>, Vec<EventJournalRow>) -> F + Send + Sync + 'static,
    F: Future<Output = Fallible<VecDeque<(EventJournalRow, T)>>> + Send + 'static,
{
    let feed = match feed {
        Ok(feed) => feed,
        Err(problem) => return stream::iter([Some(Err(problem))]).boxed(),
    };
    let dress = Arc::new(dress);
    stream::unfold(Some((feed, VecDeque::new())), move |state| {
        let dress = dress.clone();
        async move {
            let (mut feed, mut pending) = state?;
            loop {
                if let Some((row, value)) = pending.pop_front() {
                    let passed = feed.pass(&row);
                    return Some((Some(Ok(item(passed, Event(row), value))), Some((feed, pending))));
                }
                let batch = async {
                    let rows = feed.batch().await?;
                    let last = rows.last().cloned();
                    Ok((last, dress(feed.reader().clone(), rows).await?))
                };
                match batch.await {
                    Ok((last, dressed)) => {
                        pending = dressed;
                        if let (Some(last), true) = (last, pending.is_empty()) {
                            feed.pass(&last);
                        }
                    }
                    Err(problem) => return Some((Some(Err(problem)), None)),
                }
            }
        }
    })
    .boxed()
}
