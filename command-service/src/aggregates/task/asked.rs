//! One command put to one task.

use schemas::task::TaskEvent;

use super::Decision;
use super::state::{Lease, Life, Running, Task};
use crate::aggregates::{Aggregate, Context, Refusal};

/// What every transition gets.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) task: &'a Task,
    /// Command type.
    pub(super) command: &'static str,
    pub(super) context: Context<'a>,
}

impl<'a> Asked<'a> {
    /// The stage does not allow the command.
    pub(super) fn forbidden(self) -> Refusal {
        let stage = self.task.stage();
        Refusal::Transition {
            aggregate: Task::TYPE,
            command: self.command,
            stage,
            allowed: schemas::registry::allowed_commands(Task::TYPE, stage),
        }
    }

    /// The live lease, if `token` is its token and it has not run out. A lease is over at its last
    /// instant, whether its expiry stands in the log yet or not.
    pub(super) fn lease(self, token: u32) -> Result<&'a Lease, Refusal> {
        let current = self.task.issued;
        let live = self.task.life.lease();
        match live {
            Some(lease) if lease.token == token && self.context.at < lease.expires_at => Ok(lease),
            _ if (1..=current).contains(&token) => Err(Refusal::StaleToken { given: token, current }),
            Some(_) => Err(Refusal::ForeignToken { given: token }),
            None => Err(self.forbidden()),
        }
    }

    /// The running work that `token` holds.
    pub(super) fn running(self, token: u32) -> Result<&'a Running, Refusal> {
        self.lease(token)?;
        match &self.task.life {
            Life::Running(running) => Ok(running),
            _ => Err(self.forbidden()),
        }
    }
}

/// A decision of one event.
pub(super) fn one(event: impl Into<TaskEvent>) -> Decision {
    Ok(vec![event.into()])
}

/// A condition that does not hold.
pub(super) fn guard(field: &'static str, reason: impl Into<String>) -> Refusal {
    Refusal::Guard { field, reason: reason.into() }
}
