//! A new incarnation under the same id → initializing; a running one is killed first (AGENT-17).

use schemas::agent::{AgentKilled, AgentRestarted, RestartAgent};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// Begins anew.
pub(super) fn restart(asked: Asked<'_>, command: &RestartAgent) -> Decision {
    let incarnation = asked.agent.incarnation.saturating_add(1);
    let restarted = AgentRestarted { incarnation, reason: command.reason.clone() };
    match &asked.agent.life {
        Life::Executing(_) | Life::Waiting(_) | Life::Paused(_) => {
            Ok(vec![AgentKilled { reason: command.reason.clone() }.into(), restarted.into()])
        }
        Life::Failed | Life::Completed | Life::Killed => one(restarted),
        _ => Err(asked.forbidden()),
    }
}
