//! Every command and event type there is, joined from the aggregates' tables.

use crate::agent::{AgentCommand, AgentEvent};
use crate::contract::{Address, CommandType, EventType};
use crate::task::{TaskCommand, TaskEvent};

const EVENTS: &[&[EventType]] = &[TaskEvent::TYPES, AgentEvent::TYPES];
const COMMANDS: &[&[CommandType]] = &[TaskCommand::TYPES, AgentCommand::TYPES];

/// Every event type, by aggregate, in the order of its life.
pub fn event_types() -> impl Iterator<Item = &'static EventType> {
    EVENTS.iter().copied().flatten()
}

/// Every command type, the shard's own included.
pub fn command_types() -> impl Iterator<Item = &'static CommandType> {
    COMMANDS.iter().copied().flatten()
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
    fn no_two_commands_share_a_path() {
        let mut seen = BTreeSet::new();
        for command in command_types().filter(|command| command.address != Address::Internal) {
            assert!(seen.insert(format!("{} {:?}", command.collection, command.address)), "{}", command.name);
        }
    }
}
