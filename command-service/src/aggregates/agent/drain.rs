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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{executing, initializing};
    use schemas::agent::KillAgent;
    use schemas::problem::Code;

    /// M-4: `draining` is recorded once.
    #[test]
    fn an_agent_drains_once() {
        let command = DrainAgent { reason: Some("night".into()) };
        let event = DrainStarted { reason: Some("night".into()) };
        for (agent, stage) in [(initializing(), "initializing"), (executing(), "executing")] {
            let agent = agent.when(1, command.clone()).then(stage, &[event.clone().into()]);
            agent.when(2, command.clone()).then(stage, &[]);
        }
        let killed = executing().when(1, KillAgent { reason: None }).is("killed");
        killed.when(2, command).refused(Code::TransitionRefused, "while the agent is killed");
    }
}
