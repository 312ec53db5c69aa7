//! Every command, event type and transition there is, joined from the aggregates' tables.

use crate::agent::{AGENT_TRANSITIONS, AgentCommand, AgentEvent};
use crate::contract::{Address, CommandType, EventType, Transition};
use crate::dead_letter::{DEAD_LETTER_TRANSITIONS, DeadLetterCommand, DeadLetterEvent};
use crate::repository::{REPOSITORY_TRANSITIONS, RepositoryCommand, RepositoryEvent};
use crate::source_file::{SOURCE_FILE_TRANSITIONS, SourceFileCommand, SourceFileEvent};
use crate::task::{TASK_TRANSITIONS, TaskCommand, TaskEvent};

const EVENTS: &[&[EventType]] = &[
    TaskEvent::TYPES,
    AgentEvent::TYPES,
    DeadLetterEvent::TYPES,
    RepositoryEvent::TYPES,
    SourceFileEvent::TYPES,
];
const COMMANDS: &[&[CommandType]] = &[
    TaskCommand::TYPES,
    AgentCommand::TYPES,
    DeadLetterCommand::TYPES,
    RepositoryCommand::TYPES,
    SourceFileCommand::TYPES,
];
const TRANSITIONS: &[(&str, &[Transition])] = &[
    ("task", TASK_TRANSITIONS),
    ("agent", AGENT_TRANSITIONS),
    ("dead_letter", DEAD_LETTER_TRANSITIONS),
    ("repository", REPOSITORY_TRANSITIONS),
    ("source_file", SOURCE_FILE_TRANSITIONS),
];

/// Every event type, by aggregate, in the order of its life.
pub fn event_types() -> impl Iterator<Item = &'static EventType> {
    EVENTS.iter().copied().flatten()
}

/// Every command type, the shard's own included.
pub fn command_types() -> impl Iterator<Item = &'static CommandType> {
    COMMANDS.iter().copied().flatten()
}

/// Every bounded context that has events, in the order of the registry.
#[must_use]
pub fn contexts() -> Vec<&'static str> {
    let mut contexts: Vec<&'static str> = Vec::new();
    for event in event_types() {
        if !contexts.contains(&event.context) {
            contexts.push(event.context);
        }
    }
    contexts
}

/// The event type of that name.
#[must_use]
pub fn event_type(name: &str) -> Option<&'static EventType> {
    event_types().find(|event| event.name == name)
}

/// The command type of that name.
#[must_use]
pub fn command_type(name: &str) -> Option<&'static CommandType> {
    command_types().find(|command| command.name == name)
}

/// The command that `POST /api/v1/{collection}` creates with.
#[must_use]
pub fn creation(collection: &str) -> Option<&'static CommandType> {
    command_types().find(|command| command.collection == collection && command.address == Address::Create)
}

/// The transition table of an aggregate; empty for a type that is none.
#[must_use]
pub fn transitions(aggregate: &str) -> &'static [Transition] {
    TRANSITIONS.iter().find(|(name, _)| *name == aggregate).map_or(&[], |(_, rows)| rows)
}

/// The commands that a client may send to an aggregate in this stage, in the order of its life.
#[must_use]
pub fn allowed_commands(aggregate: &str, stage: &str) -> Vec<&'static str> {
    let mut allowed = Vec::new();
    for row in transitions(aggregate).iter().filter(|row| row.from == stage) {
        let internal = command_type(row.command).is_none_or(|command| command.address == Address::Internal);
        if !internal && !allowed.contains(&row.command) {
            allowed.push(row.command);
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_have_the_form_of_their_aggregate() {
        let mut seen = BTreeSet::new();
        for event in event_types() {
            assert!(seen.insert(event.name), "{} twice", event.name);
            let prefix = format!("gesta.{}.{}.", event.context, event.aggregate);
            assert!(event.name.starts_with(&prefix) && event.name.ends_with(".v1"), "{}", event.name);
        }
        for command in command_types() {
            assert!(seen.insert(command.name), "{} twice", command.name);
            assert!(command.name.starts_with(&format!("{}.", command.aggregate)), "{}", command.name);
        }
    }

    #[test]
    fn tables_name_registered_commands_and_events_of_their_aggregate() {
        for (aggregate, rows) in TRANSITIONS {
            for row in *rows {
                assert_eq!(
                    command_type(row.command).map(|c| c.aggregate),
                    Some(*aggregate),
                    "{}",
                    row.command
                );
                for event in row.events {
                    assert_eq!(event_type(event).map(|e| e.aggregate), Some(*aggregate), "{event}");
                }
            }
        }
    }

    #[test]
    fn no_two_commands_share_a_path() {
        let mut seen = BTreeSet::new();
        for command in command_types().filter(|command| command.address != Address::Internal) {
            assert!(seen.insert(format!("{} {:?}", command.collection, command.address)), "{}", command.name);
        }
    }
}
