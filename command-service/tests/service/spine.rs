//! create → claim → start → complete, and what a restart makes of it.

use std::time::Duration;

use command_service::aggregates::Refusal;
use command_service::command::Answer;

use crate::support::{PATIENCE, accepted, claim, complete, create, done, memory, serving, start, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_goes_from_creation_to_its_result_and_a_restart_knows_it() {
    let log = memory();
    let service = serving(&log).await;
    let created = done(&service, create("default", "c-1")).await;
    assert_eq!((created.stream.clone(), created.replayed), (task("default", "c-1"), false));
    assert_eq!(created.version, 2, "created and queued in one commit");

    let claimed = done(&service, claim(&["default"], "k-1", 5, Duration::ZERO)).await;
    let [lease] = claimed.leases.as_slice() else { panic!("{claimed:?}") };
    assert_eq!((&lease.task, lease.attempt, lease.queue.as_str()), (&created.stream, 1, "default"));
    let token = lease.fencing_token;
    done(&service, start(&created.stream, "s-1", token)).await;
    let completed = done(&service, complete(&created.stream, "f-1", token)).await;
    assert_eq!(completed.version, 5);
    service.shutdown().await;

    let again = serving(&log).await;
    let repeated = done(&again, complete(&created.stream, "f-1", token)).await;
    assert!(repeated.replayed);
    assert_eq!((repeated.version, repeated.events), (completed.version, completed.events));
    assert_eq!(repeated.position, completed.position);
    let refused = again.submit(start(&created.stream, "s-2", token), PATIENCE).await;
    assert!(matches!(refused, Answer::Refused(Refusal::StaleToken { .. } | Refusal::Transition { .. })));
}

/// A claim waits for a task to come; a repeated claim names what it leased.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_is_woken_by_a_new_task_of_any_of_its_queues() {
    let log = memory();
    let service = serving(&log).await;
    let wanted = claim(&["one", "two", "three"], "k-1", 1, Duration::from_secs(15));
    let waiting = tokio::spawn({
        let (service, wanted) = (service.clone(), wanted.clone());
        async move { service.submit(wanted, PATIENCE).await }
    });
    let created = done(&service, create("three", "c-1")).await;
    let claimed = accepted(waiting.await.unwrap());
    assert_eq!(claimed.leases.len(), 1);
    assert_eq!(claimed.leases[0].task, created.stream);
    done(&service, create("one", "c-2")).await;
    let repeated = done(&service, wanted).await;
    assert!(repeated.replayed && repeated.leases == claimed.leases, "{repeated:?}");
}
