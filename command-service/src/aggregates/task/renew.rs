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
