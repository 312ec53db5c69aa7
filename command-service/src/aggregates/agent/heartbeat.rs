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
    if instant::left_ms(asked.context.at, alive.until) > half_ms {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{executing, spawning, waiting};
    use crate::aggregates::given::second;
    use schemas::agent::{ExpireHeartbeat, KillAgent, RecordHeartbeat};
    use schemas::problem::Code;

    const BEAT: RecordHeartbeat = RecordHeartbeat {};

    /// AGENT-34: only a heartbeat that moves the end of liveness on enough is an event.
    #[test]
    fn a_heartbeat_is_an_event_when_half_is_over() {
        let event = HeartbeatRecorded { alive_until: second(15) };
        let agent = executing().when(4, BEAT).then("executing", &[]);
        let agent = agent.when(5, BEAT).then("executing", &[event.into()]);
        assert_eq!(agent.due().map(|due| due.0), Some(second(15)));
        assert_eq!(agent.state.unwrap().alive_until(), Some(second(15)));
        waiting().when(6, BEAT).is("waiting");
    }

    /// AGENT-34: silence makes it offline, a heartbeat brings it back; its stage stays.
    #[test]
    fn silence_makes_it_offline() {
        let agent =
            executing().when(9, ExpireHeartbeat {}).refused(Code::GuardRefused, "counts as alive until");
        let event = AgentWentOffline { last_alive_until: second(10) };
        let agent = agent.when(10, ExpireHeartbeat {}).then("executing", &[event.into()]);
        assert_eq!(agent.due(), None);
        let agent = agent.when(11, ExpireHeartbeat {}).refused(Code::GuardRefused, "offline already");
        let event = HeartbeatRecorded { alive_until: second(22) };
        let agent = agent.when(12, BEAT).then("executing", &[event.into()]);
        assert_eq!(agent.due().map(|due| due.0), Some(second(22)));
    }

    /// AGENT-34: a killed agent learns it from its next heartbeat.
    #[test]
    fn only_a_session_beats() {
        spawning().when(1, BEAT).refused(Code::TransitionRefused, "while the agent is spawning");
        let killed = executing().when(1, KillAgent { reason: None }).is("killed");
        killed.when(2, BEAT).refused(Code::TransitionRefused, "while the agent is killed");
    }
}
