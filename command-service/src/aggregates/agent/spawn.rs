//! – → initializing.

use schemas::agent::{AgentSpawnRequested, SpawnAgent};

use super::Decision;
use super::asked::one;

/// Registers an agent.
pub(super) fn spawn(command: &SpawnAgent) -> Decision {
    let SpawnAgent {
        kind,
        label,
        model,
        task,
        team_id,
        config,
        context,
        code,
        reasoning,
        safety_boundaries,
        capabilities,
        roles,
        labels,
        max_retries,
        budget_limit,
        heartbeat_ms,
        metadata,
    } = command.clone();
    one(AgentSpawnRequested {
        kind,
        label,
        model,
        task,
        team_id,
        config,
        context,
        code,
        reasoning,
        safety_boundaries,
        capabilities,
        roles,
        labels,
        max_retries,
        budget_limit,
        heartbeat_ms,
        metadata,
    })
}
