//! Two services on one log that both may claim.

use std::time::Duration;

use command_service::service::{Service, ServiceOptions};
use schemas::task::RenewLease;

use crate::support::{claim, complete, create, done, memory, start, submission};

/// PLAT-6, TASK-10: renewals that write nothing promise nothing that the next owner does not know: it sees the same
/// end of the lease, and takes the result.
#[tokio::test(flavor = "multi_thread")]
async fn renewals_then_a_takeover() {
    let log = memory();
    let options = ServiceOptions { exclusive: false, ..ServiceOptions::default() };
    let first = Service::start(&log, &options).unwrap();
    first.ready().await;
    done(&first, create("default", "c-1")).await;
    let lease = done(&first, claim(&["default"], "k-1", 1, Duration::ZERO)).await.leases.remove(0);
    let token = lease.fencing_token;
    done(&first, start(&lease.task, "s", token)).await;
    let renew = |key: &str| submission(&lease.task, key, RenewLease { fencing_token: token });
    let renewed = done(&first, renew("r-1")).await;
    assert!(
        renewed.events.is_empty() && renewed.runs_until.is_some(),
        "early, so without an event: {renewed:?}"
    );

    let second = Service::start(&log, &options).unwrap();
    second.ready().await;
    let known = done(&second, renew("r-2")).await;
    assert_eq!((known.events.len(), known.runs_until), (0, renewed.runs_until));
    done(&second, complete(&lease.task, "f", token)).await;
}
