//! Every stage but completed and killed → killed (AGENT-16, D-3).

use schemas::agent::{AgentKilled, KillAgent};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// Kills.
pub(super) fn kill(asked: Asked<'_>, command: &KillAgent) -> Decision {
    match &asked.agent.life {
        Life::Completed | Life::Killed => Err(asked.forbidden()),
        _ => one(AgentKilled { reason: command.reason.clone() }),
    }
}
