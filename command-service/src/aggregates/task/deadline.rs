//! The next instant at which something is due for a task.

use chrono::{DateTime, Utc};
use schemas::task::{ElapseGrace, ExpireLease, MakeDue, TaskCommand, TimeOutTask};

use super::state::{Lease, Life, Task};

type Due = (DateTime<Utc>, TaskCommand);

/// The earlier of what the stage waits for and the task's own deadline.
pub(super) fn deadline(task: &Task) -> Option<Due> {
    let stage = match &task.life {
        Life::Pending(pending) if !pending.held => pending.run_at.map(|at| (at, MakeDue {}.into())),
        Life::Assigned(assigned) => Some(lease_end(&assigned.lease)),
        Life::Running(running) => {
            let grace = running.cancel.as_ref().map(|cancel| (cancel.grace_until, ElapseGrace {}.into()));
            earlier(Some(lease_end(&running.lease)), grace)
        }
        Life::RetryWait(waiting) => Some((waiting.next_run_at, MakeDue {}.into())),
        _ => None,
    };
    let end = task.life.open_work().and_then(|work| work.deadline).map(|at| (at, TimeOutTask {}.into()));
    earlier(stage, end)
}

fn lease_end(lease: &Lease) -> Due {
    (lease.expires_at, ExpireLease { fencing_token: lease.token }.into())
}

fn earlier(one: Option<Due>, other: Option<Due>) -> Option<Due> {
    [one, other].into_iter().flatten().min_by_key(|due| due.0)
}
