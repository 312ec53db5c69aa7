//! A disk without space: nothing is acknowledged that is not kept, and work goes on when there is space again.

use std::process::Command;

use serde_json::json;
use tests::checker;

use crate::support::api::{Answer, Api};
use crate::support::database::Database;
use crate::support::eventually::eventually;
use crate::support::gesta::{Gesta, executable, free_address};
use crate::support::tasks::task;

/// A small disk at $1 that grows when the file $2 appears; the rest is what runs on it.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=3m tmpfs "$1" || exit 1
( until [ -e "$2" ]; do kill -0 $$ || exit; sleep 0.05; done; mount -o remount,size=64m "$1" ) &
shift 2
exec "$@"
"#;

async fn fill(api: &Api, n: usize) -> Answer {
    let body = task("full", json!({ "payload": { "n": n, "ballast": "x".repeat(100_000) } }));
    api.command("tasks", &body).key(&format!("fill-{n}")).header("prefer", "wait=3").send().await
}

/// PLAT-1, PLAT-8: no acknowledgement without space, a clear 5xx, recovery in the same process; every key resolves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_acknowledges_nothing_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let (data, more_space) = (folder.path().join("data"), folder.path().join("more-space"));
    std::fs::create_dir(&data).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", SMALL_DISK, "sh"]).arg(&data).arg(&more_space).arg(executable());
    let database = Database::create().await;
    let mut gesta = Gesta::launch(command, &data, &database.url, free_address(), free_address());
    gesta.wait_for("/startupz", |status, _| status == 200).await;
    let api = gesta.api();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for n in 0..60 {
        let answer = fill(&api, n).await;
        if answer.status == 201 {
            accepted.push((n, answer));
        } else {
            let code = answer.text("/code");
            assert!([503, 504].contains(&answer.status), "{answer:#?}");
            refused.push((n, code));
            if refused.len() == 3 {
                break;
            }
        }
    }
    assert!(!accepted.is_empty() && refused.len() == 3, "{} accepted, refused {refused:?}", accepted.len());
    eprintln!("{} fitted; then {refused:?}", accepted.len());
    std::fs::write(&more_space, "").unwrap();
    for (n, _) in &refused {
        let answer =
            eventually("a disk with space", async || fill(&api, *n).await, |answer| answer.status == 201)
                .await;
        accepted.push((*n, answer));
    }
    let log = api.events().await;
    assert_eq!(checker::check_log(&log), []);
    assert_eq!(log.len(), 2 * accepted.len(), "each key once: created and queued");
    for (n, answer) in &accepted {
        let again = fill(&api, *n).await.accepted();
        assert_eq!((again.id(), again.header("idempotency-replayed")), (answer.id(), Some("true")), "{n}");
    }
    gesta.wait_for("/readyz", |status, _| status == 200).await;
}
