//! One command put to one agent.

use chrono::{DateTime, Utc};
use schemas::agent::AgentEvent;

use super::Decision;
use super::state::Agent;
use crate::aggregates::{Aggregate, Context, Refusal, instant};

/// What every transition gets.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) agent: &'a Agent,
    /// Command type.
    pub(super) command: &'static str,
    pub(super) context: Context<'a>,
}

impl Asked<'_> {
    /// The stage does not allow the command.
    pub(super) fn forbidden(self) -> Refusal {
        let stage = self.agent.stage();
        Refusal::Transition {
            aggregate: Agent::TYPE,
            command: self.command,
            stage,
            allowed: schemas::registry::allowed_commands(Agent::TYPE, stage),
        }
    }

    /// The end of a liveness that begins now.
    pub(super) fn alive_until(self) -> DateTime<Utc> {
        instant::after(self.context.at, self.agent.heartbeat_ms.into())
    }
}

/// A decision of one event.
pub(super) fn one(event: impl Into<AgentEvent>) -> Decision {
    Ok(vec![event.into()])
}

/// A condition that does not hold.
pub(super) fn guard(reason: impl Into<String>) -> Refusal {
    Refusal::Guard { field: "", reason: reason.into() }
}
