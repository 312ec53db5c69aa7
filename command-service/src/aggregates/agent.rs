//! What works: its lifecycle, liveness and availability (M-4).
//!
//! One file per transition, or per pair that belongs together, in `agent/`; the table of all of them is
//! [`schemas::agent::AGENT_TRANSITIONS`].

mod archive;
mod asked;
mod capabilities;
mod complete;
mod deadline;
mod drain;
mod error;
mod evolve;
mod heartbeat;
mod input;
mod kill;
#[cfg(test)]
mod model;
mod pause;
#[cfg(test)]
pub(crate) mod properties;
mod restart;
mod retry;
#[cfg(test)]
pub(crate) mod samples;
mod session;
mod spawn;
mod state;
mod view;
mod worktree;

use chrono::{DateTime, Utc};
use schemas::agent::{AgentCommand, AgentEvent};

use super::{Aggregate, Context, Refusal};
use asked::Asked;
pub use state::Agent;

/// What a transition answers.
type Decision = Result<Vec<AgentEvent>, Refusal>;

impl Aggregate for Agent {
    type Command = AgentCommand;
    type Event = AgentEvent;

    const TYPE: &'static str = "agent";

    fn decide(state: Option<&Self>, command: &AgentCommand, context: Context<'_>) -> Decision {
        use AgentCommand as C;
        let Some(agent) = state else {
            return match command {
                C::SpawnAgent(spawn) => spawn::spawn(spawn),
                _ => Err(Refusal::NotFound { aggregate: Self::TYPE }),
            };
        };
        let asked = Asked { agent, command: command.name(), context };
        match command {
            C::SpawnAgent(_) => Err(Refusal::AlreadyExists { aggregate: Self::TYPE }),
            C::ArchiveAgent(_) => archive::archive(asked),
            _ if agent.archived => Err(archive::is_archived()),
            C::RecordWorktree(record) => worktree::record(asked, record),
            C::FailWorktree(fail) => worktree::fail(asked, fail),
            C::StartSession(start) => session::start(asked, start),
            C::FailSpawn(fail) => session::fail(asked, fail),
            C::AwaitInput(wait) => input::wait(asked, wait),
            C::ReceiveInput(receive) => input::receive(asked, receive),
            C::TimeOutInput(_) => input::time_out(asked),
            C::PauseAgent(pause) => pause::pause(asked, pause),
            C::ResumeAgent(_) => pause::resume(asked),
            C::ReportError(report) => error::report(asked, report),
            C::CompleteAgent(complete) => complete::complete(asked, complete),
            C::CommitResult(commit) => complete::commit_result(asked, commit),
            C::FinishCleanup(_) => complete::finish_cleanup(asked),
            C::FailCleanup(fail) => complete::fail_cleanup(asked, fail),
            C::RetryAgent(_) => retry::retry(asked),
            C::KillAgent(kill) => kill::kill(asked, kill),
            C::RestartAgent(restart) => restart::restart(asked, restart),
            C::RecordHeartbeat(_) => heartbeat::record(asked),
            C::ExpireHeartbeat(_) => heartbeat::expire(asked),
            C::DrainAgent(drain) => drain::drain(asked, drain),
            C::DeclareCapabilities(declare) => capabilities::declare(asked, declare),
        }
    }

    fn evolve(state: Option<Self>, event: &AgentEvent) -> Option<Self> {
        match (state, event) {
            (None, AgentEvent::AgentSpawnRequested(requested)) => Some(Self::requested(requested)),
            (None, _) => None,
            (Some(agent), event) => Some(agent.apply(event)),
        }
    }

    fn deadline(&self) -> Option<(DateTime<Utc>, AgentCommand)> {
        deadline::deadline(self)
    }

    fn stage(&self) -> &'static str {
        self.life.name()
    }
}
