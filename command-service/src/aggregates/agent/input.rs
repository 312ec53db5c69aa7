//! executing → waiting → executing, or → failed when the input does not come in time.

use schemas::agent::{AwaitInput, InputAwaited, InputReceived, InputTimedOut, ReceiveInput};

use super::Decision;
use super::asked::{Asked, guard, one};
use super::state::Life;
use crate::aggregates::instant;

/// The agent asks.
pub(super) fn wait(asked: Asked<'_>, command: &AwaitInput) -> Decision {
    let Life::Executing(_) = &asked.agent.life else { return Err(asked.forbidden()) };
    let input_deadline = command.timeout_ms.map(|ms| instant::after(asked.context.at, ms.into()));
    one(InputAwaited { prompt: command.prompt.clone(), input_deadline })
}

/// The answer has come.
pub(super) fn receive(asked: Asked<'_>, command: &ReceiveInput) -> Decision {
    match &asked.agent.life {
        Life::Waiting(_) => one(InputReceived { input: command.input.clone() }),
        _ => Err(asked.forbidden()),
    }
}

/// No answer came in time.
pub(super) fn time_out(asked: Asked<'_>) -> Decision {
    let Life::Waiting(waiting) = &asked.agent.life else { return Err(asked.forbidden()) };
    match waiting.input_deadline {
        Some(input_deadline) if asked.context.at >= input_deadline => one(InputTimedOut { input_deadline }),
        Some(until) => Err(guard(format!("input is awaited until {}", instant::text(until)))),
        None => Err(guard("input is awaited without a limit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::samples::{ask, executing, waiting};
    use crate::aggregates::given::second;
    use schemas::agent::{AgentCommand, TimeOutInput};
    use schemas::problem::Code;

    /// AGENT-6, M-4: it asks, is answered and goes on.
    #[test]
    fn input_is_awaited_and_comes() {
        let event = InputAwaited { prompt: Some("which?".into()), input_deadline: None };
        let agent = executing().when(1, ask(None)).then("waiting", &[event.into()]);
        let agent = agent.when(99, TimeOutInput {}).refused(Code::GuardRefused, "without a limit");
        let input = Some("this".into());
        let command = ReceiveInput { input: Some("this".into()) };
        agent.when(2, command.clone()).then("executing", &[InputReceived { input }.into()]);
        executing().when(2, command).refused(Code::TransitionRefused, "while the agent is executing");
    }

    /// M-4: it fails when the input does not come in time.
    #[test]
    fn input_that_does_not_come_is_a_failure() {
        let due: AgentCommand = TimeOutInput {}.into();
        assert_eq!(waiting().due(), Some((second(5), due)));
        let agent = waiting().when(4, TimeOutInput {}).refused(Code::GuardRefused, "awaited until");
        let event = InputTimedOut { input_deadline: second(5) };
        let agent = agent.when(5, TimeOutInput {}).then("failed", &[event.into()]);
        assert_eq!(agent.due(), None);
    }
}
