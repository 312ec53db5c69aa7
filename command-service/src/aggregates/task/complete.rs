//! running → succeeded, also when a cancel was asked for: what is done is done.

use schemas::task::{CompleteTask, TaskSucceeded};

use super::Decision;
use super::asked::{Asked, one};

/// The lease holder hands in the result.
pub(super) fn complete(asked: Asked<'_>, command: &CompleteTask) -> Decision {
    asked.running(command.fencing_token)?;
    one(TaskSucceeded { fencing_token: command.fencing_token, result: command.result.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::task::samples::{assigned, running};
    use schemas::problem::Code;
    use schemas::task::{CancelTask, TaskEvent};

    fn command(fencing_token: u32) -> CompleteTask {
        CompleteTask { fencing_token, result: serde_json::from_str(r#"{"files":3}"#).unwrap() }
    }

    /// TASK-9, M-8: the result stands in the event, not in the state.
    #[test]
    fn the_holder_hands_in_the_result() {
        let CompleteTask { fencing_token, result } = command(1);
        let events = [TaskSucceeded { fencing_token, result }.into()];
        let task = running().when(9, command(1)).then("succeeded", &events);
        assert_eq!(task.due(), None);
        task.when(9, command(1)).refused(Code::StaleFencingToken, "token 1 is over");
    }

    /// TASK-9, M-8: only what was begun can be completed, only by its holder, only while the lease runs.
    #[test]
    fn nobody_else_completes_it() {
        assigned().when(9, command(1)).refused(Code::TransitionRefused, "while the task is assigned");
        running().when(9, command(2)).refused(Code::LeaseHeldByOther, "token 2 is not");
        running().when(9, command(0)).refused(Code::LeaseHeldByOther, "token 0 is not");
        running().when(10, command(1)).refused(Code::StaleFencingToken, "token 1 is over");
    }

    #[test]
    fn work_that_is_done_counts_although_a_cancel_was_requested() {
        let task = running().when(2, CancelTask { reason: None }).is("running");
        let done = task.when(3, command(1));
        assert!(matches!(done.decision.as_deref(), Ok([TaskEvent::TaskSucceeded(_)])));
        done.is("succeeded");
    }
}
