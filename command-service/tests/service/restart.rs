//! A restart from the state store knows what a replay of the whole log knows.

use std::path::Path;
use std::time::Duration;

use command_service::service::{Service, ServiceOptions};
use event_log::{EmbeddedOptions, Log};

use crate::support::{claim, complete, create, done, memory, start};

const TASKS: usize = 300;

async fn serving(log: &Log, store: Option<&Path>) -> Service {
    let store = store.map(Path::to_owned);
    let service = Service::start(log, &ServiceOptions { store, ..ServiceOptions::default() }).unwrap();
    let status = service.ready().await;
    assert!(status.is_ready(), "{status:?}");
    service
}

/// PLAT-6: states, dispatch, leases and stored answers come back from the store as from the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_from_the_store_answers_like_a_replay() {
    let (log, dir) = (memory(), tempfile::tempdir().unwrap());
    let service = serving(&log, Some(dir.path())).await;
    for n in 0..TASKS {
        done(&service, create("default", &format!("c-{n}"))).await;
    }
    let leases = done(&service, claim(&["default"], "k-1", 20, Duration::ZERO)).await.leases;
    for lease in &leases[..10] {
        done(&service, start(&lease.task, "s", lease.fencing_token)).await;
        done(&service, complete(&lease.task, "f", lease.fencing_token)).await;
    }
    service.shutdown().await;

    let mut answers = Vec::new();
    for store in [Some(dir.path()), None] {
        let service = serving(&log, store).await;
        let mut known = vec![done(&service, claim(&["default"], "k-1", 20, Duration::ZERO)).await];
        for n in [0, 7, TASKS - 1] {
            known.push(done(&service, create("default", &format!("c-{n}"))).await);
        }
        known.push(done(&service, complete(&leases[0].task, "f", leases[0].fencing_token)).await);
        assert!(known.iter().all(|answer| answer.replayed), "{known:?}");
        let mut next = claim(&["default"], "peek", 30, Duration::ZERO);
        next.dry_run = true;
        let next = done(&service, next).await.events;
        assert_eq!(next.len(), 30);
        answers.push((known, next));
        service.shutdown().await;
    }
    assert_eq!(answers[0], answers[1], "from the store, and by replay");
}

/// The same on files: the log and the store of one data directory are opened again together.
#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_is_served_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("state");
    let open = || Log::open(EmbeddedOptions::new(dir.path().join("log"), "test", 2)).unwrap();
    let log = open();
    let service = serving(&log, Some(&store)).await;
    let created = done(&service, create("default", "c-1")).await;
    let leases = done(&service, claim(&["default"], "k-1", 1, Duration::ZERO)).await.leases;
    service.shutdown().await;
    drop((service, log));
    let service = serving(&open(), Some(&store)).await;
    let again = done(&service, create("default", "c-1")).await;
    assert_eq!((again.replayed, again.position), (true, created.position));
    assert_eq!(done(&service, claim(&["default"], "k-1", 1, Duration::ZERO)).await.leases, leases);
    done(&service, start(&leases[0].task, "s", leases[0].fencing_token)).await;
}
