//! The one refusal that is recorded: a token that was really issued, used after its lease.

use schemas::task::{StaleTokenRefused, TaskEvent};

use super::state::Task;

impl Task {
    /// The event that records the refusal of a stale token; `None` when that token's misuse stands in
    /// the log already, so that a lost worker that goes on trying does not fill it.
    #[must_use]
    pub fn stale_token_event(&self, given: u32, command: &'static str) -> Option<TaskEvent> {
        if self.refused.contains(&given) {
            return None;
        }
        Some(StaleTokenRefused { given, current: self.issued, command: command.to_owned() }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::Aggregate;
    use crate::aggregates::task::samples::{assign, assigned};
    use schemas::task::ReleaseTask;

    /// TASK-10, M-8: the first misuse of each token is recorded, whatever stage the task is in.
    #[test]
    fn the_misuse_of_a_token_is_recorded_once() {
        let released = assigned().when(1, ReleaseTask { fencing_token: 1, reason: None }).is("queued");
        let task = released.when(2, assign("w-2")).is("assigned").state.unwrap();
        let event = task.stale_token_event(1, "task.complete").unwrap();
        let expected = StaleTokenRefused { given: 1, current: 2, command: "task.complete".into() };
        assert_eq!(event, expected.into());
        let task = Task::evolve(Some(task), &event).unwrap();
        assert_eq!((task.stage(), task.stale_token_event(1, "task.fail")), ("assigned", None));
        assert!(task.stale_token_event(2, "task.fail").is_some());
    }
}
