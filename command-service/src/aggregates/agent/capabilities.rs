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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::executing;
    use schemas::agent::KillAgent;
    use schemas::problem::Code;

    /// AGENT-35, M-5: both lists are replaced.
    #[test]
    fn capabilities_and_roles_are_declared() {
        let (capabilities, roles) = (vec!["fs".to_owned()], vec!["reviewer".to_owned()]);
        let command = DeclareCapabilities { capabilities: capabilities.clone(), roles: roles.clone() };
        let event = CapabilitiesDeclared { capabilities, roles };
        executing().when(1, command.clone()).then("executing", &[event.into()]);
        let killed = executing().when(1, KillAgent { reason: None }).is("killed");
        killed.when(2, command).refused(Code::TransitionRefused, "while the agent is killed");
    }
}
