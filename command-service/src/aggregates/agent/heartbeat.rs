//! Liveness (AGENT-34): it runs to an instant that stands in an event. A heartbeat that comes while more
//! than half of it is left writes nothing.

use schemas::agent::{AgentWentOffline, HeartbeatRecorded};

use super::Decision;
use super::asked::{Asked, guard, one};
use crate::aggregates::instant;

/// The agent is alive; one that was offline is back.
pub(super) fn record(asked: Asked<'_>) -> Decision {
    let Some(alive) = asked.agent.life.alive() else { return Err(asked.forbidden()) };
    let half_ms = u64::from(asked.agent.heartbeat_ms / 2);
    if alive.online && instant::left_ms(asked.context.at, alive.until) > half_ms {
        return Ok(Vec::new());
    }
    one(HeartbeatRecorded { alive_until: asked.alive_until() })
}

/// No heartbeat came in time.
pub(super) fn expire(asked: Asked<'_>) -> Decision {
    let Some(alive) = asked.agent.life.alive() else { return Err(asked.forbidden()) };
    if !alive.online {
        return Err(guard("the agent is offline already"));
    }
    if asked.context.at < alive.until {
        return Err(guard(format!("the agent counts as alive until {}", instant::text(alive.until))));
    }
    one(AgentWentOffline { last_alive_until: alive.until })
}
