//! Brokers that stay away while clients go on asking: memory is bounded, and all goes on by itself when they are back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::{block_in_place, spawn_blocking};

use super::cluster::Cluster;
use crate::support::api::{Answer, Api};
use crate::support::brokers::Brokers;
use crate::support::eventually::eventually;
use crate::support::tasks::task;

const REPLICAS: usize = 2;
/// Clients that wait for an answer at the same time, one second each.
const CLIENTS: usize = 256;
/// Bytes of each command: where nothing is bounded, a minute of them is a gigabyte.
const COMMAND_BYTES: usize = 64 * 1024;
/// Commands acknowledged before and after the outage, at least.
const PROGRESS: u64 = 100;
/// Longest time to that, the broker's start included: the test is about memory, and runs beside others.
const PATIENCE: Duration = Duration::from_secs(180);
/// Keys of unknown outcome that are asked for again, at most.
const RESOLVED: usize = 16;
/// Length of the outage in seconds; `GESTA_OUTAGE_SECONDS` asks for another one.
const OUTAGE_SECONDS: u64 = 60;
/// Most memory of each process.
const PEAK_MEBIBYTES: u64 = 512;

#[derive(Default)]
struct Answers {
    accepted: AtomicU64,
    turned_away: AtomicU64,
    unknown: AtomicU64,
    stop: AtomicBool,
}

impl Answers {
    fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    async fn progress(&self, cluster: &Cluster) {
        let (goal, began) = (self.accepted() + PROGRESS, Instant::now());
        while self.accepted() < goal {
            assert!(began.elapsed() < PATIENCE, "no progress in {PATIENCE:?}\n{}", cluster.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Each key is of a queue of its own, so that every shard has some.
async fn create(api: &Api, key: &str) -> Answer {
    let body = task(key, json!({ "payload": { "ballast": "x".repeat(COMMAND_BYTES) } }));
    api.command("tasks", &body).key(key).header("prefer", "wait=1").send().await
}

/// Sends one command after the other; gives the key of the first whose outcome stayed unknown.
async fn live(api: Api, name: usize, answers: Arc<Answers>) -> Option<String> {
    let mut unknown = None;
    for number in 0.. {
        if answers.stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{name}-{number}");
        let answer = create(&api, &key).await;
        let counter = match answer.status {
            201 => &answers.accepted,
            503 => {
                assert!(answer.header("retry-after").is_some(), "{answer:#?}");
                &answers.turned_away
            }
            _ => {
                answer.is(504, "outcome_unknown");
                unknown.get_or_insert(key);
                &answers.unknown
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
    unknown
}

/// PLAT-1, PLAT-11: the brokers are away under load: every command is answered 503 with Retry-After or 504, no process has
/// more than 512 MiB, and all of them go on without a restart; a key whose outcome was unknown resolves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_brokers_is_waited_out_in_bounded_memory() {
    let asked = std::env::var("GESTA_OUTAGE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let outage = Duration::from_secs(asked.unwrap_or(OUTAGE_SECONDS));
    let brokers = spawn_blocking(|| Brokers::start("outage", 1)).await.expect("the broker starts");
    let mut cluster = Cluster::start(brokers, REPLICAS).await;
    let apis: Vec<Api> = cluster.replicas.iter().map(|replica| replica.api().as_tenant("outage")).collect();
    let answers = Arc::new(Answers::default());
    let client = |n: usize| tokio::spawn(live(apis[n % REPLICAS].clone(), n, Arc::clone(&answers)));
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    answers.progress(&cluster).await;
    block_in_place(|| cluster.brokers.kill(0));
    let (before, began) = (answers.accepted(), Instant::now());
    tokio::time::sleep(outage).await;
    let during = answers.accepted() - before;
    block_in_place(|| cluster.brokers.restart());
    answers.progress(&cluster).await;
    let back = began.elapsed().saturating_sub(outage);
    answers.stop.store(true, Ordering::Relaxed);
    let mut unknown = Vec::new();
    for client in clients {
        unknown.extend(client.await.expect("a client lives to its end"));
    }
    for key in unknown.iter().take(RESOLVED) {
        eventually("the outcome", async || create(&apis[0], key).await, |answer| answer.status == 201).await;
    }
    cluster.ready().await;
    let peaks = cluster.peaks();
    let (turned_away, unknowns) = (&answers.turned_away, &answers.unknown);
    eprintln!(
        "{outage:?} without brokers: {turned_away:?} turned away, {unknowns:?} unknown, {during} accepted on their way, \
         {PROGRESS} more {back:?} after; peaks in MiB: {peaks:?}"
    );
    assert!(!unknown.is_empty() && turned_away.load(Ordering::Relaxed) > 0, "the load met no outage");
    assert!(peaks.iter().all(|(_, mebibytes)| *mebibytes <= PEAK_MEBIBYTES), "{peaks:?}");
}
