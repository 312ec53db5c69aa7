//! From the acknowledgement of a command to the answer of a query that shows it, at half load.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::load::{Connection, Running, Share, run};
use crate::support::api::Api;
use crate::support::gesta::Gesta;

/// Connections of the load.
const CONNECTIONS: usize = 64;
/// Tasks of each connection.
const TASKS: usize = 60;
/// Queues that the tasks lie in; they cover every shard.
const QUEUES: usize = 64;
/// A lease longer than the run, in milliseconds.
const LEASE_MS: u32 = 86_400_000;
/// How long the full load is measured.
const FULL: Duration = Duration::from_secs(5);
/// How long half of it is kept up.
const HALF: Duration = Duration::from_secs(20);
/// Time between two looks of the client whose waits are measured.
const SAMPLE_EVERY: Duration = Duration::from_millis(25);
/// Longest time until the read models have what the full load left behind.
const CATCH_UP: Duration = Duration::from_secs(120);

pub(crate) async fn measure(gesta: &Gesta) {
    let api = gesta.api();
    let shares = join_all((0..CONNECTIONS).map(|n| share(gesta, &api.tenant, n))).await;
    let (shares, sent) = run(shares, Instant::now() + FULL, None).await;
    let full = sent as f64 / FULL.as_secs_f64();
    catch_up(&api).await;
    let every = Duration::from_secs_f64(CONNECTIONS as f64 * 2.0 / full);
    let probe = share(gesta, &api.tenant, CONNECTIONS).await;
    let until = Instant::now() + HALF;
    let ((_, sent), waits) = tokio::join!(run(shares, until, Some(every)), look(&api, probe, until));
    let half = sent as f64 / HALF.as_secs_f64();
    println!("\ngesta dev, {CONNECTIONS} connections: {full:.0} commands/s; half load: {half:.0}/s");
    crate::print("acknowledged -> visible in GraphQL", waits, "goal: p50 <= 50 ms, p99 <= 1 s");
}

async fn share(gesta: &Gesta, tenant: &str, n: usize) -> Share {
    let mut connection = Connection::open(gesta.listen, tenant).await;
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let queue = format!("visible-{}", (n + task) % QUEUES);
        tasks.push(Running::begin(&mut connection, &queue, LEASE_MS).await);
    }
    Share { connection, tasks }
}

/// Waits until the read models lack nothing.
async fn catch_up(api: &Api) {
    let patience = Instant::now() + CATCH_UP;
    loop {
        let answer = api.ask(None, "{ projections { lagRecords } }", json!({})).await;
        let projections = answer.body["data"]["projections"].as_array().expect("an answer").clone();
        if projections.iter().all(|projection| projection["lagRecords"] == 0) {
            return;
        }
        assert!(Instant::now() < patience, "the read models did not catch up: {projections:?}");
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
}

/// Sends a command, then asks for its effect with the position of its answer; tells how long each took.
async fn look(api: &Api, mut probe: Share, until: Instant) -> Vec<Duration> {
    let mut ticks = interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut waits, mut sent) = (Vec::new(), 0);
    while Instant::now() < until {
        ticks.tick().await;
        let next = sent % probe.tasks.len();
        let task = &mut probe.tasks[next];
        let acknowledged = task.rise(&mut probe.connection).await;
        let begun = Instant::now();
        let position = acknowledged["position"].as_str().expect("a position");
        let shown = api.task(position, &task.id, "progress").await;
        waits.push(begun.elapsed());
        assert_eq!(shown["progress"], task.progress, "the answer includes the command");
        sent += 1;
    }
    waits
}
