//! queued → assigned: a lease with the next fencing token, by a claim or by name.

use schemas::ids::Stream;
use schemas::task::TaskAssigned;
use uuid::Uuid;

use super::Decision;
use super::asked::{Asked, guard, one};
use super::state::Life;
use crate::aggregates::instant;

/// Namespace of lease ids: `UUIDv5(LEASE_NAMESPACE, "<stream>#<token>")`.
const LEASE_NAMESPACE: Uuid = Uuid::from_u128(0x6765_7374_6100_8000_8000_006c_6561_7365);

fn lease_id(stream: &Stream, token: u32) -> Uuid {
    Uuid::new_v5(&LEASE_NAMESPACE, format!("{stream}#{token}").as_bytes())
}

/// Leases the task to `worker`.
pub(super) fn assign(asked: Asked<'_>, worker: &str) -> Decision {
    let Life::Queued(queued) = &asked.task.life else { return Err(asked.forbidden()) };
    let Some(token) = asked.task.issued.checked_add(1) else {
        return Err(guard("", "every fencing token of this task is used; cancel it and create another"));
    };
    one(TaskAssigned {
        worker: worker.to_owned(),
        lease_id: lease_id(asked.context.stream, token),
        fencing_token: token,
        attempt: queued.attempts.saturating_add(1),
        lease_expires_at: instant::after(asked.context.at, queued.work.policy.lease_ms.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::{second, stream};
    use crate::aggregates::task::samples::{assign as command, assigned, queued, queued_at};
    use schemas::problem::Code;
    use schemas::task::{ClaimTasks, QueuedBecause, ReleaseTask, TaskReleased};

    fn lease(worker: &str, token: u32, until: i64) -> TaskAssigned {
        TaskAssigned {
            worker: worker.into(),
            lease_id: lease_id(&stream("task"), token),
            fencing_token: token,
            attempt: 1,
            lease_expires_at: second(until),
        }
    }

    /// TASK-8, TASK-10, M-8: a lease with a token, by name or by claim.
    #[test]
    fn a_queued_task_is_leased() {
        let events = [lease("w-1", 1, 15).into()];
        let task = queued().when(5, command("w-1")).then("assigned", &events).state.unwrap();
        let view = task.lease_view().unwrap();
        assert_eq!((view.worker, view.fencing_token, view.attempt, view.lease_ms), ("w-1", 1, 1, 10_000));
        assert_eq!((view.queue, view.kind, view.title), ("default", "inventory", "Count"));
        assert_eq!((&view.payload["path"], view.lease_expires_at), (&"src".into(), second(15)));
        assert_eq!((task.lease_until(), task.ready()), (Some(second(15)), None));
        let claim = ClaimTasks { worker: "w-1".into(), queues: vec!["default".into()], max: 1, wait: 0 };
        queued().when(5, claim).then("assigned", &events);
    }

    /// TASK-10, TASK-11: while a lease lives there is no second one.
    #[test]
    fn a_leased_task_is_not_leased_again() {
        assigned().when(5, command("w-2")).refused(Code::TransitionRefused, "while the task is assigned");
    }

    /// TASK-10, M-8: the token rises with every lease, the id differs, and no attempt is lost by giving back.
    #[test]
    fn the_next_lease_has_the_next_token() {
        let given_back = assigned().when(2, ReleaseTask { fencing_token: 1, reason: None });
        let events =
            [TaskReleased { fencing_token: 1, reason: None }.into(), queued_at(QueuedBecause::Released, 2)];
        let events_of_lease = [lease("w-2", 2, 13).into()];
        given_back.then("queued", &events).when(3, command("w-2")).then("assigned", &events_of_lease);
        assert_ne!(lease("w", 1, 0).lease_id, lease("w", 2, 0).lease_id);
    }

    #[test]
    fn the_last_token_is_never_given_twice() {
        let mut task = queued();
        task.state.as_mut().unwrap().issued = u32::MAX;
        task.when(5, command("w-1")).refused(Code::GuardRefused, "every fencing token");
    }
}
