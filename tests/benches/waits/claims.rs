//! From the request of a claim to the acknowledged start, and whether any task is ever leased twice.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::load::Connection;
use crate::support::gesta::Gesta;

/// Tasks that wait.
const WAITING: usize = 10_000;
/// Claims of the worker that is alone.
const ALONE: usize = 500;
/// Workers at once.
const WORKERS: usize = 100;
/// A lease longer than the run, in milliseconds: a second lease of a task is a fault.
const LEASE_MS: u32 = 86_400_000;
const QUEUE: &str = "claims";

pub(crate) async fn measure(gesta: &Gesta) {
    let tenant = gesta.api().tenant;
    let mut connections = join_all((0..WORKERS).map(|_| Connection::open(gesta.listen, &tenant))).await;
    let each = (WAITING + ALONE) / WORKERS;
    join_all(connections.iter_mut().map(|connection| create(connection, each))).await;
    let mut leased = BTreeMap::new();
    let waits = alone(&mut connections[0], &mut leased).await;
    crate::print(
        &format!("claim request -> acknowledged start, {WAITING} waiting, one worker"),
        waits,
        "goal: p50 <= 10 ms",
    );
    let begun = Instant::now();
    let worked =
        join_all(connections.into_iter().enumerate().map(|(n, connection)| work(connection, n))).await;
    let took = begun.elapsed().as_secs_f64();
    let mut waits = Vec::new();
    for (its_waits, tasks) in worked {
        waits.extend(its_waits);
        tasks.into_iter().for_each(|task| *leased.entry(task).or_default() += 1);
    }
    let rate = waits.len() as f64 / took;
    crate::print(&format!("the same, {WORKERS} workers at once, {rate:.0} tasks/s"), waits, "no goal");
    let (tasks, twice) = (leased.len(), leased.values().filter(|leases| **leases > 1).count());
    println!("tasks leased: {tasks} of {}; leased twice: {twice} (goal: 0)", WAITING + ALONE);
    assert!(tasks == WAITING + ALONE && twice == 0, "a task was leased twice or never");
}

async fn create(connection: &mut Connection, count: usize) {
    let policy = json!({ "leaseMs": LEASE_MS });
    let body = json!({ "type": "bench", "title": "bench", "queue": QUEUE, "policy": policy });
    for _ in 0..count {
        connection.command("tasks", &body).await;
    }
}

/// Claims one task and starts it; the time of both, or nothing when none waits.
async fn begin(connection: &mut Connection, worker: &str) -> Option<(Duration, String, Value)> {
    let begun = Instant::now();
    let claim = json!({ "worker": worker, "queues": [QUEUE], "max": 1 });
    let claimed = connection.command("tasks/claim", &claim).await;
    let task = claimed["tasks"].get(0)?;
    let id = task["id"].as_str().expect("an id").to_owned();
    let token = json!({ "fencingToken": task["fencingToken"] });
    connection.command(&format!("tasks/{id}/start"), &token).await;
    Some((begun.elapsed(), id, token))
}

async fn alone(connection: &mut Connection, leased: &mut BTreeMap<String, usize>) -> Vec<Duration> {
    let mut waits = Vec::new();
    for _ in 0..ALONE {
        let (wait, id, _) = begin(connection, "alone").await.expect("tasks wait");
        waits.push(wait);
        *leased.entry(id).or_default() += 1;
    }
    waits
}

/// Claims, starts and completes tasks until none waits.
async fn work(mut connection: Connection, n: usize) -> (Vec<Duration>, Vec<String>) {
    let (worker, mut waits, mut tasks) = (format!("worker-{n}"), Vec::new(), Vec::new());
    while let Some((wait, id, token)) = begin(&mut connection, &worker).await {
        connection.command(&format!("tasks/{id}/complete"), &token).await;
        waits.push(wait);
        tasks.push(id);
    }
    (waits, tasks)
}
