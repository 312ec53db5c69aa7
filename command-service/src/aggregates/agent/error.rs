//! executing, paused → failed.

use schemas::agent::{AgentFailed, ReportError};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// The agent cannot go on.
pub(super) fn report(asked: Asked<'_>, command: &ReportError) -> Decision {
    match &asked.agent.life {
        Life::Executing(_) | Life::Paused(_) => one(AgentFailed { error: command.error.clone() }),
        _ => Err(asked.forbidden()),
    }
}
