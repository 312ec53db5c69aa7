//! How a worker ends, and what it refuses to do.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database::Database;
use crate::gesta::{Gesta, Running, program, slow_inventory, until};

async fn agent(gesta: &Gesta, id: &Value, state: &str) {
    agent_shows(gesta, id, "state", state).await;
}

async fn agent_shows(gesta: &Gesta, id: &Value, field: &str, value: &str) {
    let query = format!("{{ agent(id: {id}) {{ {field} }} }}");
    until(&format!("{field} {value} of the agent"), || async {
        (gesta.query(&query).await["agent"][field] == value).then_some(())
    })
    .await;
}

/// TASK-10, AGENT-6, AGENT-34
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_stop_finishes_what_it_has_begun() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let id = gesta.task(slow_inventory(repo.path(), 20, 20)).await;
    let mut worker = gesta.worker("slow", &["--grace", "60s"]);
    let started = worker.says("started").await;
    agent(&gesta, &started["worker"], "EXECUTING").await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.says("succeeded").await["task"], id.as_str());
    assert_eq!(worker.end().await, Some(0));
    agent(&gesta, &started["worker"], "COMPLETED").await;
    gesta.task_in(&id, "SUCCEEDED").await;
    assert_eq!(gesta.stop().await, Some(0));
}

/// Whoever started it is gone, and says so by a signal too: that is one end, and an orderly one.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_beside_another_reason_to_stop_cuts_nothing_off() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let id = gesta.task(slow_inventory(repo.path(), 20, 20)).await;
    let fixed =
        ["worker", "--url", &gesta.url, "--queues", "slow", "--output", "ndjson", "--stop-with-stdin"];
    let mut command = program(&[&fixed[..], &["--grace", "60s"]].concat());
    command.stdin(Stdio::piped());
    let mut worker = Running::start(command);
    let started = worker.says("started").await;
    drop(worker.process.stdin.take());
    agent_shows(&gesta, &started["worker"], "availability", "DRAINING").await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.says("succeeded").await["task"], id.as_str());
    assert_eq!(worker.end().await, Some(0));
    assert_eq!(gesta.stop().await, Some(0));
}

/// TASK-10, TASK-13
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopping_worker_cannot_finish_is_handed_back_at_once() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let id = gesta.task(slow_inventory(repo.path(), 30, 1)).await;
    let mut worker = gesta.worker("slow", &["--grace", "0s"]);
    worker.says("started").await;
    worker.signal(Signal::TERM);
    worker.says("failed").await;
    assert_eq!(worker.end().await, Some(0));
    let handed_back =
        |task: &Value| task["state"] == "QUEUED" && task["failure"]["reason"] == "worker_stopped";
    gesta.task_when(&id, "handed back by the worker that stopped", handed_back).await;
    assert_eq!(gesta.stop().await, Some(0));
}

/// TASK-13, TASK-15
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_empties_its_queues_and_ends_and_hands_back_what_it_cannot_do() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(gesta.task(slow_inventory(repo.path(), 2, 1_000)).await);
    }
    let strange = gesta.task(json!({ "queue": "strange", "type": "baking", "title": "bread" })).await;
    let worker = gesta.worker("strange,slow", &["--once", "--concurrency", "3"]);
    assert_eq!(worker.end().await, Some(0));
    for id in &ids {
        gesta.task_in(id, "SUCCEEDED").await;
    }
    let task = gesta.task_in(&strange, "FAILED").await;
    assert_eq!(task["failure"]["reason"], "unknown_type", "not tried again: {task}");
    assert_eq!(gesta.stop().await, Some(0));
}

/// TASK-7
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stops_a_cancelled_task_and_acknowledges() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    gesta.ready(true).await;
    let id = gesta.task(slow_inventory(repo.path(), 100, 1)).await;
    let mut worker = gesta.worker("slow", &[]);
    worker.says("started").await;
    let (status, answer) =
        gesta.command(&format!("tasks/{id}/cancel"), json!({ "reason": "obsolete" })).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(worker.says("cancelled").await["task"], id.as_str());
    gesta.task_in(&id, "CANCELLED").await;
    let query = format!("{{ task(id: \"{id}\") {{ history(first: 20) {{ nodes {{ type data }} }} }} }}");
    let history = gesta.query(&query).await.to_string();
    assert!(history.contains("acknowledged\":true"), "{history}");
    worker.signal(Signal::TERM);
    assert_eq!(worker.end().await, Some(0));
    assert_eq!(gesta.stop().await, Some(0));
}
