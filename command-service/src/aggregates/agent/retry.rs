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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::executing;
    use crate::aggregates::given::second;
    use schemas::agent::{ReportError, RestartAgent, RetryAgent};
    use schemas::problem::Code;

    /// AGENT-29, M-4: while retries are left; a restart gives new ones.
    #[test]
    fn a_failed_agent_is_retried_within_its_limit() {
        let error = || ReportError { error: "stuck".into() };
        let event = AgentRetried { retry_count: 1, alive_until: second(12) };
        let failed = executing().when(1, error()).is("failed");
        let agent = failed.when(2, RetryAgent {}).then("executing", &[event.into()]);
        let agent = agent.when(3, RetryAgent {}).refused(Code::TransitionRefused, "is executing");
        let agent = agent.when(3, error()).is("failed");
        let agent = agent.when(4, RetryAgent {}).refused(Code::GuardRefused, "all 1 retries are used");
        let agent = agent.when(5, RestartAgent { reason: None }).is("initializing").state.unwrap();
        assert_eq!((agent.retries, agent.incarnation), (0, 2));
    }
}
