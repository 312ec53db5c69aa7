//! pending and queued: the task changes before anyone holds it.

use schemas::task::{TaskUpdated, UpdateTask};

use super::Decision;
use super::asked::{Asked, guard, one};
use super::state::Life;

/// Changes what a worker will see.
pub(super) fn update(asked: Asked<'_>, command: &UpdateTask) -> Decision {
    let (Life::Pending(_) | Life::Queued(_)) = &asked.task.life else { return Err(asked.forbidden()) };
    if *command == UpdateTask::default() {
        return Err(guard("", "name at least one of title, description, priority, payload"));
    }
    let UpdateTask { title, description, priority, payload } = command.clone();
    one(TaskUpdated { title, description, priority, payload })
}
