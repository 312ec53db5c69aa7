//! assigned → running.

use schemas::task::{StartTask, TaskStarted};

use super::Decision;
use super::asked::{Asked, one};
use super::state::Life;

/// The lease holder begins.
pub(super) fn start(asked: Asked<'_>, command: &StartTask) -> Decision {
    asked.lease(command.fencing_token)?;
    match &asked.task.life {
        Life::Assigned(_) => one(TaskStarted { fencing_token: command.fencing_token }),
        _ => Err(asked.forbidden()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::task::samples::{assigned, queued, running, start as command};
    use schemas::problem::Code;

    /// M-8, TASK-10: the lease holder begins, once.
    #[test]
    fn the_holder_begins() {
        assigned().when(1, command(1)).then("running", &[TaskStarted { fencing_token: 1 }.into()]);
        running().when(2, command(1)).refused(Code::TransitionRefused, "while the task is running");
    }

    /// TASK-10: a foreign token, a lease that has run out, no lease at all.
    #[test]
    fn nobody_else_begins() {
        assigned().when(1, command(2)).refused(Code::LeaseHeldByOther, "token 2");
        assigned().when(10, command(1)).refused(Code::StaleFencingToken, "token 1 is over");
        queued().when(1, command(1)).refused(Code::TransitionRefused, "while the task is queued");
    }
}
