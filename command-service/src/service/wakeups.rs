//! Long polls: who waits for a task of a queue, and how they are woken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use schemas::ids::Stream;
use tokio::sync::Notify;

/// Queues that are remembered before those that nobody waits for are dropped.
const TIDY_ABOVE: usize = 1_024;

/// The queues that somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Wakeups {
    queues: Mutex<HashMap<Stream, Weak<Notify>>>,
}

impl Wakeups {
    fn lock(&self) -> MutexGuard<'_, HashMap<Stream, Weak<Notify>>> {
        // Every change is one call, so a panic elsewhere leaves the map whole.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to wait on for a task of `queue`. Ask for it before looking into the queue, so that no
    /// wake-up falls in between.
    pub(super) fn of(&self, queue: &Stream) -> Arc<Notify> {
        let mut queues = self.lock();
        if let Some(notify) = queues.get(queue).and_then(Weak::upgrade) {
            return notify;
        }
        if queues.len() >= TIDY_ABOVE {
            queues.retain(|_, notify| notify.strong_count() > 0);
        }
        let notify = Arc::new(Notify::new());
        queues.insert(queue.clone(), Arc::downgrade(&notify));
        notify
    }

    /// Wakes as many waiters as there are new tasks.
    pub(super) fn wake(&self, queue: &Stream, tasks: usize) {
        let notify = self.lock().get(queue).and_then(Weak::upgrade);
        if let Some(notify) = notify {
            for _ in 0..tasks.min(TIDY_ABOVE) {
                notify.notify_one();
            }
        }
    }
}
