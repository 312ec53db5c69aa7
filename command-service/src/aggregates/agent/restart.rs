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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{completing, executing, waiting};
    use schemas::agent::{DrainAgent, FinishCleanup};
    use schemas::problem::Code;

    /// AGENT-17, M-4: kill and a new incarnation; one that ended needs no kill.
    #[test]
    fn a_new_incarnation_begins() {
        let reason = || Some("stuck".into());
        let command = RestartAgent { reason: reason() };
        let killed = AgentKilled { reason: reason() };
        let restarted = |incarnation| AgentRestarted { incarnation, reason: reason() };
        let events = [killed.into(), restarted(2).into()];
        let drained = executing().when(1, DrainAgent { reason: None }).is("executing");
        for agent in [drained, waiting()] {
            let agent = agent.when(2, command.clone()).then("initializing", &events);
            assert_eq!(agent.due(), None);
            assert!(!agent.state.as_ref().unwrap().draining, "a new incarnation takes work again");
            agent.when(2, command.clone()).refused(Code::TransitionRefused, "is initializing");
        }
        let completed = completing().when(2, FinishCleanup {}).is("completed");
        completed.when(3, command).then("initializing", &[restarted(2).into()]);
    }
}
