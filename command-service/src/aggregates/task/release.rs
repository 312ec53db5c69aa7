//! assigned → queued: the holder gives it back unworked; no attempt is spent.

use schemas::task::{QueuedBecause, ReleaseTask, TaskQueued, TaskReleased};

use super::Decision;
use super::asked::Asked;
use super::state::Life;
use crate::aggregates::instant;

/// The lease holder gives the task back.
pub(super) fn release(asked: Asked<'_>, command: &ReleaseTask) -> Decision {
    asked.lease(command.fencing_token)?;
    let Life::Assigned(_) = &asked.task.life else { return Err(asked.forbidden()) };
    Ok(vec![
        TaskReleased { fencing_token: command.fencing_token, reason: command.reason.clone() }.into(),
        TaskQueued { because: QueuedBecause::Released, enqueued_at: instant::whole(asked.context.at) }.into(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::task::samples::{assigned, queued_at, running};
    use schemas::problem::Code;

    const RELEASE: ReleaseTask = ReleaseTask { fencing_token: 1, reason: None };

    /// M-8, TASK-10: queued again; its token is worth nothing from then on.
    #[test]
    fn the_holder_gives_it_back() {
        let released = TaskReleased { fencing_token: 1, reason: None }.into();
        let task = assigned().when(2, RELEASE);
        let task = task.then("queued", &[released, queued_at(QueuedBecause::Released, 2)]);
        assert_eq!(task.due(), None);
        task.when(3, RELEASE).refused(Code::StaleFencingToken, "token 1 is over");
    }

    #[test]
    fn work_that_began_is_not_given_back_unworked() {
        running().when(2, RELEASE).refused(Code::TransitionRefused, "while the task is running");
    }
}
