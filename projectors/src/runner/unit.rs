//! Read models as the runner sees them: folded together, moved together.

use futures_util::future::BoxFuture;

use super::cache::Budget;
use super::depths::Depths;
use super::failure::Failure;
use super::model::{Model, Writes};
use super::rows::Source;
use crate::event::Event;
use crate::projection::Projection;
use crate::read_models::{
    AgentList, ChunkChange, CodeChunks, EventJournal, QueueDepth, RepositoryList, SourceFileList,
    StateTransitions, TaskAttempts, TaskList, TaskMove,
};

type Folded = Result<Vec<Box<dyn Writes>>, Failure>;

/// Read models that always stand at the same position: one, or one and those that are folded from it.
pub(crate) trait Unit: Send + Sync {
    fn names(&self) -> &'static [&'static str];
    /// Whether an event of that aggregate type that cannot be decoded stops it.
    fn reads(&self, aggregate_type: &str) -> bool;
    fn fold<'a>(&'a mut self, source: &'a Source, events: &'a [Event]) -> BoxFuture<'a, Folded>;
}

/// Names of the units, in the order in which a transaction writes them; each begins with its own.
pub(crate) const UNITS: &[&str] = &[
    TaskList::NAME,
    TaskAttempts::NAME,
    AgentList::NAME,
    RepositoryList::NAME,
    SourceFileList::NAME,
    CodeChunks::NAME,
    StateTransitions::NAME,
    EventJournal::NAME,
];

/// The read models that the unit of that name moves.
pub(crate) fn names(unit: &str) -> &'static [&'static str] {
    match unit {
        TaskList::NAME => &[TaskList::NAME, QueueDepth::NAME],
        TaskAttempts::NAME => &[TaskAttempts::NAME],
        AgentList::NAME => &[AgentList::NAME],
        RepositoryList::NAME => &[RepositoryList::NAME],
        SourceFileList::NAME => &[SourceFileList::NAME],
        CodeChunks::NAME => &[CodeChunks::NAME],
        StateTransitions::NAME => &[StateTransitions::NAME],
        EventJournal::NAME => &[EventJournal::NAME],
        _ => &[],
    }
}

/// Makes the units of one shard. A name that is none gives none.
/// Without `depths` it shows none.
pub(crate) fn unit(name: &str, budget: &Budget, depths: Option<&Depths>) -> Option<Box<dyn Unit>> {
    let budget = budget.clone();
    Some(match name {
        TaskList::NAME => Box::new(Tasks {
            list: Model::new(budget.clone()),
            depth: Model::new(budget),
            depths: depths.cloned(),
        }),
        TaskAttempts::NAME => Box::new(Single::<TaskAttempts>(Model::new(budget))),
        AgentList::NAME => Box::new(Single::<AgentList>(Model::new(budget))),
        RepositoryList::NAME => Box::new(Single::<RepositoryList>(Model::new(budget))),
        SourceFileList::NAME => Box::new(Single::<SourceFileList>(Model::new(budget))),
        CodeChunks::NAME => Box::new(Chunks(Model::new(budget))),
        StateTransitions::NAME => Box::new(Single::<StateTransitions>(Model::new(budget))),
        EventJournal::NAME => Box::new(Single::<EventJournal>(Model::new(budget))),
        _ => return None,
    })
}

fn reads<P: Projection<I>, I>(aggregate_type: &str) -> bool {
    P::READS.is_empty() || P::READS.contains(&aggregate_type)
}

struct Single<P: Projection>(Model<P, Event>);

impl<P: Projection> Unit for Single<P> {
    fn names(&self) -> &'static [&'static str] {
        names(P::NAME)
    }

    fn reads(&self, aggregate_type: &str) -> bool {
        reads::<P, Event>(aggregate_type)
    }

    fn fold<'a>(&'a mut self, source: &'a Source, events: &'a [Event]) -> BoxFuture<'a, Folded> {
        Box::pin(async move {
            let rows = self.0.fold(source, events, |_| (), |(), _, _| ()).await?;
            Ok(vec![Box::new(rows) as Box<dyn Writes>])
        })
    }
}

/// `task_list`, and `queue_depth` that is folded from its moves.
struct Tasks {
    list: Model<TaskList, Event>,
    depth: Model<QueueDepth, TaskMove>,
    depths: Option<Depths>,
}

impl Unit for Tasks {
    fn names(&self) -> &'static [&'static str] {
        names(TaskList::NAME)
    }

    fn reads(&self, aggregate_type: &str) -> bool {
        reads::<TaskList, Event>(aggregate_type)
    }

    fn fold<'a>(&'a mut self, source: &'a Source, events: &'a [Event]) -> BoxFuture<'a, Folded> {
        Box::pin(async move {
            let mut moves = Vec::new();
            let state = |row: Option<&migrations::TaskListRow>| row.map(|row| row.state.clone());
            let moved = |from, row: &migrations::TaskListRow, event: &Event| {
                moves.extend(TaskMove::between(from, row, event));
            };
            let list = self.list.fold(source, events, state, moved).await?;
            let depth = self.depth.fold(source, &moves, |_| (), |(), _, _| ()).await?;
            if let Some(depths) = &self.depths {
                depth.rows.iter().for_each(|row| depths.show(row));
            }
            Ok(vec![Box::new(list) as Box<dyn Writes>, Box::new(depth)])
        })
    }
}

/// `code_chunks`: an event of a file changes any number of its chunks.
struct Chunks(Model<CodeChunks, ChunkChange>);

impl Unit for Chunks {
    fn names(&self) -> &'static [&'static str] {
        names(CodeChunks::NAME)
    }

    fn reads(&self, aggregate_type: &str) -> bool {
        reads::<CodeChunks, ChunkChange>(aggregate_type)
    }

    fn fold<'a>(&'a mut self, source: &'a Source, events: &'a [Event]) -> BoxFuture<'a, Folded> {
        Box::pin(async move {
            let changes: Vec<_> = events.iter().flat_map(ChunkChange::of).collect();
            let rows = self.0.fold(source, &changes, |_| (), |(), _, _| ()).await?;
            Ok(vec![Box::new(rows) as Box<dyn Writes>])
        })
    }
}
