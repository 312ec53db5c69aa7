//! A hundred workers on a few thousand tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tests::checker;

use crate::support::api::Api;
use crate::support::database::Database;
use crate::support::gesta::Gesta;
use crate::support::tasks::task;

const WORKERS: usize = 100;
const TASKS: usize = 3_000;
/// Queues, which lie on several shards.
const QUEUES: usize = 4;
/// Lines of one batch.
const BATCH: usize = 1_000;

fn queue(n: usize) -> String {
    format!("crowd-{}", n % QUEUES)
}

async fn create_all(api: &Api) {
    let line = |n| {
        format!(
            "{}\n",
            json!({ "command": "task.create", "body": task(&queue(n), json!({ "title": n.to_string() })) })
        )
    };
    let lines: Vec<String> = (0..TASKS).map(line).collect();
    for lines in lines.chunks(BATCH) {
        let call =
            api.request(reqwest::Method::POST, "commands").header("content-type", "application/x-ndjson");
        let answer = call.body(lines.concat()).send().await;
        assert_eq!(answer.status, 200);
        let text = answer.body.as_str().expect("lines");
        assert!(text.lines().all(|line| line.starts_with("{\"status\":201")), "{text}");
    }
}

/// Claims, begins and completes until every task is done; each lease it was given, by task and token.
async fn work(api: Api, n: usize, done: Arc<AtomicUsize>) -> Vec<(String, u64)> {
    let queues: Vec<String> = (0..QUEUES).map(|k| queue(n + k)).collect();
    let mut leases = Vec::new();
    while done.load(Ordering::Relaxed) < TASKS {
        let claim = json!({ "worker": format!("w-{n}"), "queues": queues, "max": 3, "wait": 200 });
        let claimed = api.done("tasks/claim", claim).await;
        for lease in claimed.body["tasks"].as_array().expect("a claim answers tasks") {
            let (id, token) = (lease["id"].as_str().expect("an id"), &lease["fencingToken"]);
            leases.push((id.to_owned(), token.as_u64().expect("a token")));
            api.act(id, "start", json!({ "fencingToken": token })).await;
            api.act(id, "complete", json!({ "fencingToken": token, "result": { "by": n } })).await;
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
    leases
}

/// TASK-10, TASK-11, TASK-29: every task is leased once and done once; no two leases at once, by the log alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_workers_never_hold_the_same_task() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create().await;
    let gesta = Gesta::start_anywhere(&folder.path().join("data"), &database.url).await;
    let api = gesta.api();
    create_all(&api).await;
    let done = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> =
        (0..WORKERS).map(|n| tokio::spawn(work(api.clone(), n, Arc::clone(&done)))).collect();
    let mut leases: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for worker in workers {
        for (id, token) in worker.await.unwrap() {
            leases.entry(id).or_default().push(token);
        }
    }
    assert_eq!(leases.len(), TASKS);
    let twice: Vec<_> = leases.iter().filter(|(_, tokens)| **tokens != [1]).collect();
    assert!(twice.is_empty(), "handed out more than once: {twice:?}");
    let log = api.events().await;
    assert_eq!(checker::check_log(&log), []);
    let assigned = log.iter().filter(|event| event.verb() == "assigned");
    let workers: BTreeSet<_> = assigned.clone().map(|event| event.data["worker"].as_str()).collect();
    assert_eq!(
        (assigned.count(), log.iter().filter(|event| event.verb() == "succeeded").count()),
        (TASKS, TASKS)
    );
    eprintln!("{} of {WORKERS} workers got tasks", workers.len());
    let (_, metrics) = api.ops("/metrics").await;
    let conflicts: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("gesta_claim_conflicts_total")).collect();
    assert!(conflicts.iter().all(|line| line.ends_with(" 0")), "{conflicts:?}");
}
