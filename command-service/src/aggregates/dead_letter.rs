//! What people decided about a dead letter. That there is one, only the projections know: a decision about none is
//! granted, and has no effect.

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod properties;

use chrono::{DateTime, Utc};
use schemas::dead_letter::{DeadLetterCommand, DeadLetterDiscarded, DeadLetterEvent};
use serde::{Deserialize, Serialize};

use super::{Aggregate, Context, Refusal};

/// A dead letter about which something was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetter {
    /// It is given up.
    Discarded {
        /// As the last decision named it: who named a wrong one may do so again.
        projection: String,
    },
}

impl Aggregate for DeadLetter {
    type Command = DeadLetterCommand;
    type Event = DeadLetterEvent;

    const TYPE: &'static str = "dead_letter";

    fn decide(
        state: Option<&Self>,
        command: &DeadLetterCommand,
        _: Context<'_>,
    ) -> Result<Vec<DeadLetterEvent>, Refusal> {
        let DeadLetterCommand::DiscardDeadLetter(discard) = command;
        if let Some(Self::Discarded { projection }) = state
            && *projection == discard.projection
        {
            let reason = format!("the letter of {projection} is discarded already");
            return Err(Refusal::Guard { field: "/projection", reason });
        }
        let (projection, reason) = (discard.projection.clone(), discard.reason.clone());
        Ok(vec![DeadLetterDiscarded { projection, reason }.into()])
    }

    fn evolve(_: Option<Self>, event: &DeadLetterEvent) -> Option<Self> {
        let DeadLetterEvent::DeadLetterDiscarded(discarded) = event;
        Some(Self::Discarded { projection: discarded.projection.clone() })
    }

    fn deadline(&self) -> Option<(DateTime<Utc>, DeadLetterCommand)> {
        None
    }

    fn stage(&self) -> &'static str {
        "discarded"
    }
}
