//! spawning → executing, or → failed.

use schemas::agent::{FailSpawn, SessionStarted, SpawnFailed, StartSession};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// The session runs; liveness begins.
pub(super) fn start(asked: Asked<'_>, command: &StartSession) -> Decision {
    match asked.agent.life {
        Life::Spawning => {
            one(SessionStarted { session_id: command.session_id, alive_until: asked.alive_until() })
        }
        _ => Err(asked.forbidden()),
    }
}

/// The session could not be started.
pub(super) fn fail(asked: Asked<'_>, command: &FailSpawn) -> Decision {
    match asked.agent.life {
        Life::Spawning => one(SpawnFailed { error: command.error.clone() }),
        _ => Err(asked.forbidden()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{executing, initializing, session, spawning};
    use crate::aggregates::given::second;
    use schemas::agent::{AgentCommand, ExpireHeartbeat};
    use schemas::problem::Code;

    /// AGENT-6, AGENT-34, M-4: it executes, and counts as alive from then on.
    #[test]
    fn a_session_starts_liveness() {
        let event = SessionStarted { session_id: None, alive_until: second(13) };
        let agent = spawning().when(3, session()).then("executing", &[event.into()]);
        let expire: AgentCommand = ExpireHeartbeat {}.into();
        assert_eq!(agent.due(), Some((second(13), expire)));
        initializing().when(3, session()).refused(Code::TransitionRefused, "while the agent is initializing");
    }

    #[test]
    fn a_session_may_fail_to_start() {
        let command = FailSpawn { error: "no model".into() };
        let event = SpawnFailed { error: "no model".into() };
        spawning().when(3, command.clone()).then("failed", &[event.into()]);
        executing().when(3, command).refused(Code::TransitionRefused, "while the agent is executing");
    }
}
