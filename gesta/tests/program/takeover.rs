//! What happens to a task whose worker is lost, or only thought to be.

use rustix::process::Signal;

use crate::database::Database;
use crate::gesta::{Gesta, slow_inventory};

/// TASK-12, TASK-10, TASK-13
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_a_task_is_replaced_by_another() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    // Longer than a lease, so whoever finishes it has renewed.
    let id = gesta.task(slow_inventory(repo.path(), 60, 10)).await;
    let mut first = gesta.worker("slow", &["--label", "first"]);
    first.says("started").await;
    first.signal(Signal::KILL);
    let mut second = gesta.worker("slow", &["--label", "second"]);
    let done = second.says("succeeded").await;
    assert_eq!(done["task"], id.as_str());

    let task = gesta.task_in(&id, "SUCCEEDED").await;
    assert_eq!(task["result"]["files"], 60);
    let attempts = task["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{task}");
    assert_eq!(attempts[0]["worker"], done["worker"], "the newest lease is the second worker's");
    assert_ne!(attempts[1]["worker"], done["worker"]);
    assert_eq!(attempts[1]["outcome"], "lease_expired");
    assert!(attempts[0]["renewals"].as_u64() > Some(0), "{task}");
    second.signal(Signal::TERM);
    assert_eq!(second.end().await, Some(0));
    assert_eq!(gesta.stop().await, Some(0));
}

/// TASK-10, TASK-11
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_slept_through_its_lease_stops_and_changes_nothing() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let id = gesta.task(slow_inventory(repo.path(), 20, 20)).await;
    let mut sleeper = gesta.worker("slow", &["--label", "sleeper"]);
    let slept = sleeper.says("started").await;
    sleeper.signal(Signal::STOP);
    let mut other = gesta.worker("slow", &["--label", "other"]);
    let done = other.says("succeeded").await;
    assert_ne!(done["worker"], slept["worker"]);
    sleeper.signal(Signal::CONT);
    assert_eq!(sleeper.says("lost").await["task"], id.as_str());

    let task = gesta.task_in(&id, "SUCCEEDED").await;
    assert_eq!(task["attempts"][0]["worker"], done["worker"], "{task}");
    for worker in [sleeper, other] {
        worker.signal(Signal::TERM);
        assert_eq!(worker.end().await, Some(0), "both work on and end in order");
    }
    assert_eq!(gesta.stop().await, Some(0));
}
