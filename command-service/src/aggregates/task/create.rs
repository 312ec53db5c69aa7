//! – → pending, and → queued in the same commit when nothing holds it.

use schemas::task::{CreateTask, QueuedBecause, TaskCreated, TaskQueued};

use super::Decision;
use super::asked::guard;
use crate::aggregates::{Context, instant};

/// Creates a task.
pub(super) fn create(command: &CreateTask, context: Context<'_>) -> Decision {
    let at = instant::whole(context.at);
    let run_at = instant::given("/runAt", command.run_at)?;
    let deadline = instant::given("/deadline", command.deadline)?;
    if deadline.is_some_and(|deadline| deadline <= at) {
        return Err(guard("/deadline", format!("has passed; it is {} now", instant::text(at))));
    }
    if let (Some(run_at), Some(deadline)) = (run_at, deadline)
        && run_at >= deadline
    {
        return Err(guard("/runAt", "must lie before the deadline, or the task could never run"));
    }
    let created = TaskCreated {
        queue: command.queue.clone(),
        kind: command.kind.clone(),
        title: command.title.clone(),
        description: command.description.clone(),
        priority: command.priority,
        payload: command.payload.clone(),
        requirements: command.requirements.clone(),
        parent_id: command.parent_id,
        depends_on: command.depends_on.clone(),
        hold: command.hold,
        run_at,
        deadline,
        policy: command.policy.into(),
        metadata: command.metadata.clone(),
    };
    let waits = command.hold || !command.depends_on.is_empty() || run_at.is_some_and(|run_at| run_at > at);
    let mut events = vec![created.into()];
    if !waits {
        events.push(TaskQueued { because: QueuedBecause::Created, enqueued_at: at }.into());
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::Aggregate;
    use crate::aggregates::given::{given, second};
    use crate::aggregates::task::samples::{create as command, created, queued_at};
    use crate::aggregates::task::{LeaseView, Task};
    use schemas::problem::Code;
    use schemas::task::{MakeDue, Priority, TaskPolicy};

    /// TASK-1, TASK-3, M-8: a task that nothing holds is queued in the commit that creates it.
    #[test]
    fn a_task_that_nothing_holds_is_queued_at_once() {
        let events = [created(command()), queued_at(QueuedBecause::Created, 7)];
        let task = given::<Task>(&[]).when(7, command()).then("queued", &events).state.unwrap();
        let ready = task.ready().unwrap();
        assert_eq!((ready.queue, ready.rank, ready.ageing_ms), ("default", 2, 60_000));
        assert_eq!((ready.enqueued_at, task.deadline()), (second(7), None));
        let past = CreateTask { run_at: Some(second(7)), ..command() };
        given::<Task>(&[]).when(7, past).is("queued");
    }

    /// TASK-16, TASK-22, M-8: an approval, other tasks and `runAt` keep it pending.
    #[test]
    fn what_must_wait_is_pending() {
        let parent: schemas::ids::AggregateId = "8e88a6c9-40b0-87c7-a154-418b24b15ccd".parse().unwrap();
        let later = Some(second(60));
        let waiting = [
            (CreateTask { hold: true, ..command() }, None),
            (CreateTask { depends_on: vec![parent], parent_id: Some(parent), ..command() }, None),
            (CreateTask { hold: true, run_at: later, ..command() }, None),
            (CreateTask { run_at: later, ..command() }, Some((second(60), MakeDue {}.into()))),
        ];
        for (command, due) in waiting {
            let task = given::<Task>(&[]).when(7, command.clone()).then("pending", &[created(command)]);
            assert_eq!(task.due(), due);
            assert_eq!(task.state.as_ref().and_then(Task::ready), None);
            assert_eq!(task.state.as_ref().and_then(Task::lease_view), None::<LeaseView<'_>>);
        }
    }

    /// TASK-24: instants that cannot be met are refused and named.
    #[test]
    fn instants_that_cannot_be_met_are_refused() {
        let create =
            |run_at, deadline| given::<Task>(&[]).when(7, CreateTask { run_at, deadline, ..command() });
        create(None, Some(second(7))).refused(Code::GuardRefused, "/deadline: has passed");
        create(Some(second(9)), Some(second(9))).refused(Code::GuardRefused, "/runAt: must lie before");
        let far = Some(chrono::DateTime::<chrono::Utc>::MAX_UTC);
        create(far, None).refused(Code::GuardRefused, "/runAt: must lie in the years");
        create(None, far).refused(Code::GuardRefused, "/deadline: must lie in the years");
    }

    /// TASK-1, TASK-13, M-11, M-34: what the creator leaves out.
    #[test]
    fn what_is_left_out_has_a_default() {
        let body = r#"{"type":"inventory","title":"Count"}"#;
        let command: CreateTask = serde_json::from_str(body).unwrap();
        assert_eq!((command.priority, command.queue.as_str()), (Priority::Normal, "default"));
        let policy = TaskPolicy::from(command.policy);
        assert_eq!((policy.max_attempts, policy.backoff_base_ms), (3, 1_000));
        assert_eq!(serde_json::from_str::<Priority>(r#""medium""#).unwrap(), Priority::Normal);
    }

    #[test]
    fn a_task_is_created_once() {
        given::<Task>(&[created(command())])
            .when(8, command())
            .refused(Code::AlreadyExists, "exists already");
    }
}
