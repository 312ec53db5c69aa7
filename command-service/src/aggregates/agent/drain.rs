//! The agent takes no new work, until it ends or is restarted.

use schemas::agent::{DrainAgent, DrainStarted};

use super::Decision;
use super::asked::{Asked, one};

/// Drains, once.
pub(super) fn drain(asked: Asked<'_>, command: &DrainAgent) -> Decision {
    if asked.agent.life.is_ended() {
        Err(asked.forbidden())
    } else if asked.agent.draining {
        Ok(Vec::new())
    } else {
        one(DrainStarted { reason: command.reason.clone() })
    }
}
