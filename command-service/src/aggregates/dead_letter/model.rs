//! Every transition of a dead letter, listed or forbidden.

use schemas::dead_letter::{DeadLetterCommand, DiscardDeadLetter};

use super::DeadLetter;
use crate::aggregates::Aggregate;
use crate::aggregates::model::{Model, Seen};
use crate::command::AnyCommand;

/// Every command.
pub(super) fn commands() -> Vec<DeadLetterCommand> {
    let discard =
        |projection: &str| DiscardDeadLetter { projection: projection.into(), reason: "why".into() };
    vec![discard("task_list").into(), discard("event_journal").into()]
}

/// Walks them all.
pub(super) fn seen() -> Seen {
    let commands = commands().into_iter().map(AnyCommand::DeadLetter).collect();
    Model { aggregate: DeadLetter::TYPE, commands, pauses: &[6], depth: 4, check: &|_| () }.walk()
}

/// PLAT-13: a dead letter is discarded once, whether the projections know it or not: a second time is refused, lest its reason
/// be lost, unless it names another projection.
#[test]
fn every_transition_is_listed_and_every_listed_one_happens() {
    seen().agrees_with_the_table(DeadLetter::TYPE);
}
