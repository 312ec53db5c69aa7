//! What the agent can do and which roles it plays (AGENT-35, M-5).

use schemas::agent::{CapabilitiesDeclared, DeclareCapabilities};

use super::Decision;
use super::asked::{Asked, one};

/// Replaces both lists.
pub(super) fn declare(asked: Asked<'_>, command: &DeclareCapabilities) -> Decision {
    if asked.agent.life.is_ended() {
        return Err(asked.forbidden());
    }
    one(CapabilitiesDeclared { capabilities: command.capabilities.clone(), roles: command.roles.clone() })
}
