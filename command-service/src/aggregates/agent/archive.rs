//! Hides an agent; one that has not ended is killed first (AGENT-15). The stream stays (AGENT-27).

use schemas::agent::{AgentArchived, AgentKilled};

use super::Decision;
use super::asked::{Asked, guard, one};
use crate::aggregates::Refusal;

/// Archives, once.
pub(super) fn archive(asked: Asked<'_>) -> Decision {
    let agent = asked.agent;
    if agent.archived {
        Ok(Vec::new())
    } else if agent.life.is_ended() {
        one(AgentArchived {})
    } else {
        Ok(vec![AgentKilled { reason: None }.into(), AgentArchived {}.into()])
    }
}

/// Why an archived agent does nothing.
pub(super) fn is_archived() -> Refusal {
    guard("the agent is archived; only its history is left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{completing, executing};
    use schemas::agent::{ArchiveAgent, FinishCleanup, RestartAgent};
    use schemas::problem::Code;

    /// AGENT-15, AGENT-27, M-4: hidden, once, killed first if need be; its history stays.
    #[test]
    fn an_agent_is_archived() {
        let events = [AgentKilled { reason: None }.into(), AgentArchived {}.into()];
        executing().when(1, ArchiveAgent {}).then("killed", &events);
        let completed = completing().when(2, FinishCleanup {}).is("completed");
        let agent = completed.when(3, ArchiveAgent {}).then("completed", &[AgentArchived {}.into()]);
        let agent = agent.when(4, ArchiveAgent {}).then("completed", &[]);
        agent.when(5, RestartAgent { reason: None }).refused(Code::GuardRefused, "only its history is left");
    }
}
