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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::Aggregate;
    use crate::aggregates::agent::Agent;
    use crate::aggregates::agent::samples::{completing, executing, initializing, spawning, waiting};
    use schemas::agent::{FinishCleanup, ReportError};
    use schemas::problem::Code;

    /// AGENT-16, M-4: in every stage that has not ended, and when it failed.
    #[test]
    fn whatever_has_not_ended_is_killed() {
        let command = KillAgent { reason: Some("stop".into()) };
        let event = AgentKilled { reason: Some("stop".into()) };
        let failed = executing().when(1, ReportError { error: "stuck".into() }).is("failed");
        for agent in [initializing(), spawning(), executing(), waiting(), completing(), failed] {
            let agent = agent.when(2, command.clone()).then("killed", &[event.clone().into()]);
            assert_eq!(agent.due(), None);
            agent.when(3, command.clone()).refused(Code::TransitionRefused, "while the agent is killed");
        }
        let completed = completing().when(2, FinishCleanup {}).is("completed");
        let completed = completed.when(3, command).refused(Code::TransitionRefused, "the agent is completed");
        let state = Agent::evolve(completed.state, &event.into()).unwrap();
        assert_eq!(state.stage(), "completed", "an event that it cannot have met changes nothing");
    }
}
