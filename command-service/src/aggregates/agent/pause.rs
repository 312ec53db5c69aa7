//! executing, waiting ⇄ paused. The time that an awaited input had left does not run while paused.

use schemas::agent::{AgentPaused, AgentResumed, PauseAgent, ResumeTo};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;
use crate::aggregates::instant;

/// Pauses, and records who did it.
pub(super) fn pause(asked: Asked<'_>, command: &PauseAgent) -> Decision {
    let (resume_to, input_left_ms) = match &asked.agent.life {
        Life::Executing(_) => (ResumeTo::Executing, None),
        Life::Waiting(waiting) => {
            let left = waiting.input_deadline.map(|until| instant::left_ms(asked.context.at, until));
            (ResumeTo::Waiting, left)
        }
        _ => return Err(asked.forbidden()),
    };
    one(AgentPaused {
        paused_by: asked.context.actor.to_owned(),
        resume_to,
        input_left_ms,
        reason: command.reason.clone(),
    })
}

/// Goes on where it was.
pub(super) fn resume(asked: Asked<'_>) -> Decision {
    let Life::Paused(paused) = &asked.agent.life else { return Err(asked.forbidden()) };
    let input_deadline = paused.input_left_ms.map(|ms| instant::after(asked.context.at, ms));
    one(AgentResumed { to: paused.resume_to, input_deadline })
}
