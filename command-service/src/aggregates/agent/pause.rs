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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{completing, executing, waiting};
    use crate::aggregates::given::{ACTOR, second};
    use schemas::agent::ResumeAgent;
    use schemas::problem::Code;

    fn paused(resume_to: ResumeTo, input_left_ms: Option<u64>) -> AgentPaused {
        AgentPaused { paused_by: ACTOR.into(), resume_to, input_left_ms, reason: Some("look".into()) }
    }

    fn command() -> PauseAgent {
        PauseAgent { reason: Some("look".into()) }
    }

    /// AGENT-18, AGENT-19, M-4: who paused it and what it goes back to are recorded.
    #[test]
    fn it_goes_back_to_executing() {
        let agent = executing().when(2, command());
        let agent = agent.then("paused", &[paused(ResumeTo::Executing, None).into()]);
        let event = AgentResumed { to: ResumeTo::Executing, input_deadline: None };
        agent.when(3, ResumeAgent {}).then("executing", &[event.into()]);
        executing().when(3, ResumeAgent {}).refused(Code::TransitionRefused, "while the agent is executing");
        completing().when(3, command()).refused(Code::TransitionRefused, "while the agent is completing");
    }

    /// AGENT-19, M-4: the pause does not eat the time that the awaited input had left.
    #[test]
    fn it_goes_back_to_waiting_with_the_time_that_was_left() {
        let agent = waiting().when(2, command());
        let agent = agent.then("paused", &[paused(ResumeTo::Waiting, Some(3_000)).into()]);
        assert_eq!(agent.due().map(|due| due.0), Some(second(10)), "only liveness runs");
        let event = AgentResumed { to: ResumeTo::Waiting, input_deadline: Some(second(10)) };
        agent.when(7, ResumeAgent {}).then("waiting", &[event.into()]);
    }
}
