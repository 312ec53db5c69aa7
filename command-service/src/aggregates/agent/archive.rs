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
