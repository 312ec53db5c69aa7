//! Which read models a field reads and how many items it lists: what must be known of a document
//! before it runs. Tests compare both tables with the schema and with what resolvers really read.

use crate::limits::{DEFAULT_HITS, DEFAULT_PAGE};

/// A read model, named as its table, its projection and the file that serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ReadModel {
    TaskList,
    TaskAttempts,
    AgentList,
    QueueDepth,
    EventJournal,
    StateTransitions,
    RepositoryList,
    SourceFileList,
    CodeChunks,
    /// What the others set aside; written with them.
    DeadLetters,
    /// How far the others are; itself never behind.
    Projections,
}

use ReadModel::{
    AgentList, CodeChunks, DeadLetters, EventJournal, Projections, QueueDepth, RepositoryList,
    SourceFileList, StateTransitions, TaskAttempts, TaskList,
};

/// A row or a letter may come from any of them.
const ALL: &[ReadModel] = &[
    TaskList,
    TaskAttempts,
    AgentList,
    QueueDepth,
    RepositoryList,
    SourceFileList,
    CodeChunks,
    StateTransitions,
    EventJournal,
    DeadLetters,
];

impl ReadModel {
    /// The projection's name in `projections`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TaskList => "task_list",
            TaskAttempts => "task_attempts",
            AgentList => "agent_list",
            QueueDepth => "queue_depth",
            EventJournal => "event_journal",
            StateTransitions => "state_transitions",
            RepositoryList => "repository_list",
            SourceFileList => "source_file_list",
            CodeChunks => "code_chunks",
            DeadLetters => "dead_letters",
            Projections => "projections",
        }
    }

    /// Whether it is a projection that can be behind a token.
    pub(crate) fn follows_the_log(self) -> bool {
        !matches!(self, Projections | DeadLetters)
    }
}

/// Field name → read models, whatever the type that the field stands on.
const READS: &[(&str, &[ReadModel])] = &[
    ("task", &[TaskList]),
    ("tasks", &[TaskList]),
    ("parent", &[TaskList]),
    ("children", &[TaskList]),
    ("attempts", &[TaskAttempts]),
    ("agent", &[AgentList]),
    ("agents", &[AgentList, TaskList]),
    ("agentStats", &[AgentList, TaskList]),
    ("availability", &[AgentList, TaskList]),
    ("leases", &[TaskList]),
    ("queues", &[QueueDepth]),
    ("oldestWaitingSince", &[TaskList]),
    ("repository", &[RepositoryList]),
    ("repositories", &[RepositoryList]),
    ("sourceFiles", &[SourceFileList]),
    ("search", &[CodeChunks, RepositoryList, SourceFileList]),
    ("history", &[EventJournal]),
    ("events", &[EventJournal]),
    ("event", &[EventJournal]),
    ("causation", &[EventJournal]),
    ("provenance", &[TaskList, TaskAttempts, AgentList, QueueDepth, StateTransitions, EventJournal]),
    ("transition", &[StateTransitions]),
    ("deadLetter", ALL),
    ("deadLetters", ALL),
    ("projections", &[Projections]),
    ("node", &[TaskList, AgentList, EventJournal]),
    ("taskChanged", &[TaskList, EventJournal]),
    ("agentChanged", &[AgentList, EventJournal]),
    ("eventAppended", &[EventJournal]),
];

/// Field name → items that it lists when no page is given. `nodes` and `edges` are not here: the
/// connection around them counts.
const LISTS: &[(&str, u64)] = &[
    ("tasks", DEFAULT_PAGE),
    ("children", DEFAULT_PAGE),
    ("attempts", DEFAULT_PAGE),
    ("agents", DEFAULT_PAGE),
    ("queues", DEFAULT_PAGE),
    ("repositories", DEFAULT_PAGE),
    ("sourceFiles", DEFAULT_PAGE),
    ("search", DEFAULT_HITS),
    // As many as `first` of the search says.
    ("hits", 1),
    ("history", DEFAULT_PAGE),
    ("events", DEFAULT_PAGE),
    ("deadLetters", DEFAULT_PAGE),
    ("steps", DEFAULT_PAGE),
    // One step usually has one or two effects, and a whole tree is bounded.
    ("effects", 2),
    ("roots", 2),
    ("projections", 16),
    ("shards", 8),
];

/// The read models that a field of this name reads.
pub(crate) fn read_by(field: &str) -> impl Iterator<Item = ReadModel> {
    READS.iter().filter(move |(name, _)| *name == field).flat_map(|(_, models)| models.iter().copied())
}

/// How many items a field of this name lists without `first` or `last`.
pub(crate) fn default_items(field: &str) -> u64 {
    LISTS.iter().find(|(name, _)| *name == field).map_or(1, |(_, items)| *items)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::{BaseType, TypeKind, TypeSystemDefinition};

    use super::*;
    use crate::schema;

    fn named(base: &BaseType) -> (&str, bool) {
        match base {
            BaseType::Named(name) => (name.as_str(), false),
            BaseType::List(item) => (named(&item.base).0, true),
        }
    }

    /// Field name and type of every object field that lists objects, pages included.
    fn lists(sdl: &str) -> Vec<(String, String)> {
        let document = async_graphql::parser::parse_schema(sdl).unwrap();
        let types: Vec<_> = document
            .definitions
            .iter()
            .filter_map(|definition| match definition {
                TypeSystemDefinition::Type(definition) => Some(&definition.node),
                _ => None,
            })
            .collect();
        let is_object = |name: &str| {
            types.iter().any(|ty| {
                ty.name.node == name && matches!(ty.kind, TypeKind::Object(_) | TypeKind::Interface(_))
            })
        };
        let objects = types.iter().filter_map(|ty| match &ty.kind {
            TypeKind::Object(object) => Some(object),
            _ => None,
        });
        let fields = objects.flat_map(|object| &object.fields).filter_map(|field| {
            let (name, is_list) = named(&field.node.ty.node.base);
            let lists = name.ends_with("Connection") || is_list && is_object(name);
            lists.then(|| (field.node.name.node.to_string(), name.to_owned()))
        });
        fields.collect()
    }

    #[test]
    fn every_list_of_the_schema_has_a_size_for_the_guard() {
        let sdl = schema::sdl(&schema::build(true));
        let lists = lists(&sdl);
        assert!(lists.len() > 10, "{lists:?}");
        for (field, ty) in lists {
            if !matches!(field.as_str(), "nodes" | "edges") {
                assert!(
                    LISTS.iter().any(|(name, _)| *name == field),
                    "{field}: [{ty}] has no entry in LISTS"
                );
            }
        }
    }
}
