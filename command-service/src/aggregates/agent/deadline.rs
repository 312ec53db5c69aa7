//! The next instant at which something is due for an agent.

use chrono::{DateTime, Utc};
use schemas::agent::{AgentCommand, ExpireHeartbeat, TimeOutInput};

use super::state::{Agent, Life};

/// The earlier of the awaited input's end and the liveness's end.
pub(super) fn deadline(agent: &Agent) -> Option<(DateTime<Utc>, AgentCommand)> {
    let input = match &agent.life {
        Life::Waiting(waiting) => waiting.input_deadline.map(|at| (at, TimeOutInput {}.into())),
        _ => None,
    };
    let liveness = agent.life.alive().filter(|alive| alive.online);
    let liveness = liveness.map(|alive| (alive.until, ExpireHeartbeat {}.into()));
    [input, liveness].into_iter().flatten().min_by_key(|due| due.0)
}
