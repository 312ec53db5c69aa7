//! Two services on one log that both may claim.

use std::time::Duration;

use command_service::service::{Service, ServiceOptions};
use event_log::{Content, Log, Start};
use schemas::task::RenewLease;

use crate::support::{PATIENCE, claim, complete, create, done, memory, start, submission};

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

/// Who claimed shard 0, in order.
async fn claimers(log: &Log) -> Vec<String> {
    let mut reader = log.reader(Start::Beginning(0)).await.unwrap();
    let counted = reader.next(100).await.unwrap().into_iter();
    let address = |content| if let Content::Claim(claim) = content { Some(claim.address) } else { None };
    counted.filter_map(|record| address(record.content)).collect()
}

/// PLAT-6: an owner that has nothing to write notices by itself that another one claimed, and claims again as long as
/// it is meant to own the shard.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_owner_notices_that_it_is_fenced() {
    let log = memory();
    let address = "127.0.0.1:1".to_owned();
    let options = ServiceOptions { exclusive: false, address, ..ServiceOptions::default() };
    let service = Service::start(&log, &options).unwrap();
    service.ready().await;
    assert_eq!(claimers(&log).await, ["127.0.0.1:1"]);
    log.claim(0, "127.0.0.1:2").await.unwrap();
    let again = async {
        while claimers(&log).await.len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("it never looked");
    assert_eq!(claimers(&log).await, ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1"]);
    service.ready().await;
    done(&service, create("default", "c-1")).await;
}
