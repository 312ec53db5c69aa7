//! The depth of each queue as a metric (TASK-25).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use migrations::QueueDepthRow;

/// Most queues that are measured; the table has them all.
const MAX_QUEUES: usize = 1_000;

/// Shows the depths of queues as they change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Depths {
    shown: Arc<Mutex<HashSet<String>>>,
}

impl Depths {
    /// Shows the depth of one queue, unless too many others are shown.
    pub(crate) fn show(&self, row: &QueueDepthRow) {
        if !self.takes(format!("{}/{}", row.tenant, row.queue)) {
            return;
        }
        let labels = [("tenant", row.tenant.to_string()), ("queue", row.queue.clone())];
        #[expect(clippy::cast_precision_loss, reason = "2^53 waiting tasks are told closely enough")]
        metrics::gauge!("gesta_queue_depth", &labels).set(row.queued as f64);
    }

    fn takes(&self, queue: String) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.contains(&queue) || (shown.len() < MAX_QUEUES && shown.insert(queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_queues_are_shown_than_the_limit() {
        let depths = Depths::default();
        assert!((0..MAX_QUEUES).all(|n| depths.takes(n.to_string())));
        assert!(!depths.takes("one more".into()));
        assert!(depths.takes("7".into()), "one that is shown stays shown");
    }
}
