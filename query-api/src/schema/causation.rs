//! What caused what: the events of one correlation as a tree of commands and events.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use chrono::{DateTime, Utc};
use migrations::EventJournalRow;
use schemas::problem::Code;
use uuid::Uuid;

use super::event_journal::{self, Event};
use super::loaders::EventKey;
use super::{Fallible, loaders, reader};
use crate::limits::{MAX_CAUSATION_EVENTS, MAX_PAGE};
use crate::problem::Problem;
use crate::read_models::ReadModel;

/// What stands at a place of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum CausationKind {
    /// A command; its effects are its events.
    Command,
    /// An event; its effects are the commands that it caused.
    Event,
}

#[derive(Debug, Clone)]
struct Step {
    kind: CausationKind,
    /// Row of the event, or of a command's first event.
    row: usize,
    parent: Option<usize>,
    depth: i32,
    effects: Vec<usize>,
}

/// The tree; steps in preorder, so a reader can print it by depth.
#[derive(Debug)]
struct Tree {
    rows: Vec<EventJournalRow>,
    steps: Vec<Step>,
    truncated: bool,
}

impl Tree {
    /// Builds the tree of events in the order of time. One record of the log is one command.
    fn grow(mut rows: Vec<EventJournalRow>) -> Self {
        let truncated = rows.len() as i64 > MAX_CAUSATION_EVENTS;
        rows.truncate(MAX_CAUSATION_EVENTS as usize);
        let by_event: HashMap<String, usize> =
            rows.iter().enumerate().map(|(index, row)| (row.event_id.to_string(), index)).collect();
        let mut commands: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut by_record: HashMap<(i64, i32, i64), usize> = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            let record = (row.log_generation, row.shard, row.log_offset);
            let command = *by_record.entry(record).or_insert_with(|| {
                commands.push((index, Vec::new()));
                commands.len() - 1
            });
            commands[command].1.push(index);
        }
        let mut caused_by: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut roots = Vec::new();
        for (command, (first, events)) in commands.iter().enumerate() {
            match by_event.get(&rows[*first].causation_id).filter(|cause| !events.contains(cause)) {
                Some(cause) => caused_by.entry(*cause).or_default().push(command),
                None => roots.push(command),
            }
        }
        let mut growing =
            Growing { commands: &commands, caused_by: &caused_by, steps: Vec::new(), seen: Vec::new() };
        growing.seen.resize(commands.len(), false);
        // A client may claim any cause, so a circle is possible: what no root reaches begins one.
        for command in roots.into_iter().chain(0..commands.len()) {
            growing.command(command);
        }
        let steps = growing.steps;
        Self { rows, steps, truncated }
    }
}

struct Growing<'a> {
    commands: &'a [(usize, Vec<usize>)],
    caused_by: &'a HashMap<usize, Vec<usize>>,
    steps: Vec<Step>,
    seen: Vec<bool>,
}

impl Growing<'_> {
    /// Adds a command and everything below it in preorder, with a stack of its own: chains may be long.
    fn command(&mut self, root: usize) {
        let mut stack = vec![(CausationKind::Command, root, None)];
        while let Some((kind, index, parent)) = stack.pop() {
            let is_command = kind == CausationKind::Command;
            if is_command && std::mem::replace(&mut self.seen[index], true) {
                continue;
            }
            let step = self.steps.len();
            let depth = parent.map_or(0, |parent: usize| self.steps[parent].depth + 1);
            if let Some(parent) = parent {
                self.steps[parent].effects.push(step);
            }
            let row = if is_command { self.commands[index].0 } else { index };
            self.steps.push(Step { kind, row, parent, depth, effects: Vec::new() });
            if is_command {
                let events = self.commands[index].1.iter().rev();
                stack.extend(events.map(|event| (CausationKind::Event, *event, Some(step))));
            } else {
                let commands = self.caused_by.get(&index).into_iter().flatten().rev();
                stack.extend(commands.map(|command| (CausationKind::Command, *command, Some(step))));
            }
        }
    }
}

/// Everything that one original request caused.
pub(crate) struct Causation {
    tree: Arc<Tree>,
}

/// Everything that one original request caused.
#[Object]
impl Causation {
    /// Correlation id that all of it carries.
    async fn correlation_id(&self) -> &str {
        self.tree.rows.first().map_or("", |row| &row.correlation_id)
    }
    /// How many events it has.
    async fn event_count(&self) -> usize {
        self.tree.rows.len()
    }
    /// Whether there are more events than a tree takes in; then the newest are missing.
    async fn truncated(&self) -> bool {
        self.tree.truncated
    }
    /// The commands that nothing in the tree caused; usually one.
    async fn roots(&self) -> Vec<CausationStep> {
        let roots = self.tree.steps.iter().enumerate().filter(|(_, step)| step.parent.is_none());
        roots
            .take(MAX_PAGE as usize)
            .map(|(index, _)| CausationStep { tree: self.tree.clone(), index })
            .collect()
    }
    /// All steps in preorder, each before its effects: with `depth`, the tree without nesting.
    async fn steps(
        &self,
        #[graphql(default = 20, desc = "1 to 100")] first: i32,
        #[graphql(default = 0, desc = "How many to leave out")] offset: i32,
    ) -> Option<Fallible<Vec<CausationStep>>> {
        let (Ok(first), Ok(offset)) = (usize::try_from(first), usize::try_from(offset)) else {
            return Some(Err(Problem::new(Code::InvalidQuery, "`first` and `offset` are not negative")));
        };
        if first > MAX_PAGE as usize {
            return Some(Err(Problem::new(Code::InvalidQuery, format!("`first` must be 1 to {MAX_PAGE}"))));
        }
        let indexes = (0..self.tree.steps.len()).skip(offset).take(first);
        Some(Ok(indexes.map(|index| CausationStep { tree: self.tree.clone(), index }).collect()))
    }
}

/// A command or an event in a causation tree.
pub(crate) struct CausationStep {
    tree: Arc<Tree>,
    index: usize,
}

impl CausationStep {
    fn step(&self) -> &Step {
        &self.tree.steps[self.index]
    }

    fn row(&self) -> &EventJournalRow {
        &self.tree.rows[self.step().row]
    }

    fn id_of(tree: &Tree, index: usize) -> String {
        let step = &tree.steps[index];
        let row = &tree.rows[step.row];
        match step.kind {
            CausationKind::Command => row.command_id.clone(),
            CausationKind::Event => row.event_id.to_string(),
        }
    }
}

/// A command or an event in a causation tree.
#[Object]
impl CausationStep {
    /// Id of the command or of the event.
    async fn id(&self) -> String {
        Self::id_of(&self.tree, self.index)
    }
    /// What it is.
    async fn kind(&self) -> CausationKind {
        self.step().kind
    }
    /// Type of the command or of the event.
    async fn r#type(&self) -> &str {
        match self.step().kind {
            CausationKind::Command => &self.row().command_type,
            CausationKind::Event => &self.row().r#type,
        }
    }
    /// When it happened.
    async fn time(&self) -> DateTime<Utc> {
        self.row().time
    }
    /// Who issued the command, `kind/id`.
    async fn actor(&self) -> String {
        format!("{}/{}", self.row().actor_type, self.row().actor_id)
    }
    /// What it is about, `<aggregate type>/<aggregate id>`; of a command, its first event's.
    async fn subject(&self) -> &str {
        &self.row().subject
    }
    /// Steps from its root, 0 for a root.
    async fn depth(&self) -> i32 {
        self.step().depth
    }
    /// Id of the step that caused it; none for a root.
    async fn cause_id(&self) -> Option<String> {
        self.step().parent.map(|parent| Self::id_of(&self.tree, parent))
    }
    /// The event itself; none for a command.
    async fn event(&self) -> Option<Event> {
        (self.step().kind == CausationKind::Event).then(|| Event(self.row().clone()))
    }
    /// What it caused, at most 100.
    async fn effects(&self) -> Vec<CausationStep> {
        let effects = self.step().effects.iter().take(MAX_PAGE as usize);
        effects.map(|index| CausationStep { tree: self.tree.clone(), index: *index }).collect()
    }
}

const CORRELATION_OF_COMMAND_SQL: &str =
    "SELECT correlation_id FROM gesta.event_journal WHERE tenant = $1 AND command_id = $2 LIMIT 1";

/// The tree around an event, a command or a correlation, whatever `id` names.
///
/// # Errors
/// The database is away.
pub(super) async fn tree(ctx: &Context<'_>, id: &str) -> Fallible<Option<Causation>> {
    let reader = reader(ctx);
    let event = match Uuid::try_parse(id) {
        Ok(uuid) => loaders(ctx).load_one(EventKey(uuid)).await?,
        Err(_) => None,
    };
    let mut correlation = event.map_or_else(|| id.to_owned(), |event| event.0.correlation_id);
    let mut rows = event_journal::of_correlation(reader, &correlation).await?;
    if rows.is_empty() {
        let mut connection = reader.lend(&[ReadModel::EventJournal]).await?;
        let query = sqlx::query_scalar(CORRELATION_OF_COMMAND_SQL).bind(reader.tenant().as_str()).bind(id);
        let Some(found) = query.fetch_optional(&mut *connection).await? else { return Ok(None) };
        correlation = found;
        drop(connection);
        rows = event_journal::of_correlation(reader, &correlation).await?;
    }
    Ok(Some(Causation { tree: Arc::new(Tree::grow(rows)) }))
}

#[cfg(test)]
mod tests;
