//! Three brokers that die or fall silent one after the other.

use std::time::{Duration, Instant};

use tokio::task::{block_in_place, spawn_blocking};

use super::cluster::{Cluster, Node};
use super::{ANSWER, published};
use crate::load::{self, Run};
use crate::support::brokers::Brokers;

const NODES: u64 = 3;
/// The one that falls silent; the others die.
const SILENT: u64 = 1;
const REPLICAS: usize = 2;
const CLIENTS: u64 = 24;
/// Commands acknowledged while a broker is dead, and again when it is back, at least.
const PROGRESS: u64 = 100;
/// Longest time to that: the test is about what becomes of commands, and runs beside others.
const PATIENCE: Duration = Duration::from_secs(180);
/// Longest run.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// PLAT-1, PLAT-6: each broker in turn dies under load, or stops with its connections open, and with it the leaders of its
/// shards; the others lead them and commands go on without it. Nothing acknowledged is lost or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_leaders_die() {
    let seed = load::seed();
    let brokers = spawn_blocking(|| Brokers::start("leaders", NODES)).await.expect("the brokers start");
    let mut cluster = Cluster::start(brokers, REPLICAS).await;
    let http = reqwest::Client::builder().timeout(ANSWER).build().expect("a client without special wishes");
    let bases = cluster.replicas.iter().map(Node::address).collect();
    let run = Run::new(bases, &cluster.queries.address(), http, LIMIT);
    let clients = run.begin(CLIENTS, seed);
    run.reach(PROGRESS).await;
    let mut longest = Duration::ZERO;
    for node in 0..NODES {
        let brokers = &cluster.brokers;
        block_in_place(|| if node == SILENT { brokers.freeze(node) } else { brokers.kill(node) });
        let dead = Instant::now();
        run.reach(run.acknowledged() + PROGRESS).await;
        assert!(
            dead.elapsed() < PATIENCE,
            "no progress without broker {}\n{}",
            node + 1,
            cluster.last_words()
        );
        longest = longest.max(dead.elapsed());
        let brokers = &cluster.brokers;
        block_in_place(|| if node == SILENT { brokers.thaw(node) } else { brokers.restart() });
        run.reach(run.acknowledged() + PROGRESS).await;
    }
    let operations = run.end(clients).await;
    cluster.restore().await;
    let tasks = load::all_tasks(&run).await;
    load::judge(&operations, &published(&cluster.replicas[0].api(), &run).await, &tasks);
    let (acknowledged, took) = (run.acknowledged(), run.began.elapsed());
    eprintln!(
        "{acknowledged} acknowledged, {NODES} leaders lost, {PROGRESS} more at most {longest:?} after, {took:?}"
    );
}
