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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{executing, waiting};
    use schemas::agent::PauseAgent;
    use schemas::problem::Code;

    /// AGENT-6, AGENT-29, M-4: executing and paused agents can fail.
    #[test]
    fn an_agent_fails() {
        let command = ReportError { error: "stuck".into() };
        let event = AgentFailed { error: "stuck".into() };
        let paused = executing().when(1, PauseAgent { reason: None }).is("paused");
        for agent in [executing(), paused] {
            let agent = agent.when(2, command.clone()).then("failed", &[event.clone().into()]);
            assert_eq!(agent.due(), None);
        }
        waiting().when(2, command).refused(Code::TransitionRefused, "while the agent is waiting");
    }
}
