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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::task::samples::{assigned, held, queued};
    use schemas::problem::Code;
    use schemas::task::Priority;

    /// TASK-6: what the worker sees changes; what is not named stays.
    #[test]
    fn a_task_changes_before_anyone_holds_it() {
        let command = UpdateTask {
            title: Some("New".into()),
            priority: Some(Priority::Critical),
            payload: Some(serde_json::from_str(r#"{"path":"docs"}"#).unwrap()),
            ..UpdateTask::default()
        };
        let events = [TaskUpdated {
            title: command.title.clone(),
            description: None,
            priority: command.priority,
            payload: command.payload.clone(),
        }
        .into()];
        held().when(5, command.clone()).then("pending", &events);
        let task = queued().when(5, command).then("queued", &events);
        assert_eq!(task.state.as_ref().and_then(|task| task.ready()).map(|ready| ready.rank), Some(4));
        let task =
            task.when(6, crate::aggregates::task::samples::assign("w-1")).is("assigned").state.unwrap();
        let view = task.lease_view().unwrap();
        assert_eq!((view.title, &view.payload["path"]), ("New", &"docs".into()));
    }

    /// TASK-6: not once it was assigned.
    #[test]
    fn a_leased_task_does_not_change() {
        let title = UpdateTask { title: Some("New".into()), ..UpdateTask::default() };
        assigned().when(5, title).refused(Code::TransitionRefused, "while the task is assigned");
        queued().when(5, UpdateTask::default()).refused(Code::GuardRefused, "at least one of");
    }
}
