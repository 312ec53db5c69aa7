//! assigned and running: the lease runs longer. While more than half of it is left nothing is written,
//! because its end stands in an event already.

use schemas::task::{LeaseRenewed, RenewLease};

use super::Decision;
use super::asked::{Asked, one};
use crate::aggregates::instant;

/// The lease holder goes on. Also before the start, so that a worker may hold what it takes up next.
pub(super) fn renew(asked: Asked<'_>, command: &RenewLease) -> Decision {
    let lease = asked.lease(command.fencing_token)?;
    let Some(work) = asked.task.life.open_work() else { return Err(asked.forbidden()) };
    let lease_ms = u64::from(work.policy.lease_ms);
    if instant::left_ms(asked.context.at, lease.expires_at) > lease_ms / 2 {
        return Ok(Vec::new());
    }
    let lease_expires_at = instant::after(asked.context.at, lease_ms);
    one(LeaseRenewed { fencing_token: command.fencing_token, lease_expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::second;
    use crate::aggregates::task::samples::{assigned, queued, running};
    use schemas::problem::Code;
    use schemas::task::{ExpireLease, TaskCommand};

    const RENEW: RenewLease = RenewLease { fencing_token: 1 };

    /// TASK-10: with more than half of the lease left nothing is written.
    #[test]
    fn a_renewal_is_an_event_when_half_is_over() {
        let events = [LeaseRenewed { fencing_token: 1, lease_expires_at: second(15) }.into()];
        for task in [assigned(), running()] {
            let stage = if task.state == assigned().state { "assigned" } else { "running" };
            let task = task.when(4, RENEW).then(stage, &[]).when(5, RENEW).then(stage, &events);
            let expire: TaskCommand = ExpireLease { fencing_token: 1 }.into();
            assert_eq!(task.due(), Some((second(15), expire)));
            assert_eq!(task.state.unwrap().lease_until(), Some(second(15)));
        }
    }

    /// TASK-10: a lease that has run out is not brought back, though its expiry is not written yet.
    #[test]
    fn a_lease_that_is_over_is_not_renewed() {
        running().when(10, RENEW).refused(Code::StaleFencingToken, "token 1 is over");
        queued().when(1, RENEW).refused(Code::TransitionRefused, "while the task is queued");
    }
}
