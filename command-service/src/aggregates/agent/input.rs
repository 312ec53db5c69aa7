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
