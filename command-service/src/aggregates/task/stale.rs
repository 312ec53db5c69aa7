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
