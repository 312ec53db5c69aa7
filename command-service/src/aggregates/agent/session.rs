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
