//! failed → executing, while retries are left (AGENT-29).

use schemas::agent::AgentRetried;

use super::Decision;
use super::asked::{Asked, guard, one};
use super::state::Life;

/// Executes again.
pub(super) fn retry(asked: Asked<'_>) -> Decision {
    let Life::Failed = asked.agent.life else { return Err(asked.forbidden()) };
    let (retries, most) = (asked.agent.retries, asked.agent.max_retries);
    if retries >= most {
        return Err(guard(format!("all {most} retries are used; restart the agent instead")));
    }
    one(AgentRetried { retry_count: retries.saturating_add(1), alive_until: asked.alive_until() })
}
