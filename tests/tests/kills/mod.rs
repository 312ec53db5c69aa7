//! Load from many clients with retries while `gesta dev` is killed again and again; then a judge that
//! knows only what the clients saw, the published log and the answers of GraphQL.

mod client;
mod life;
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tests::checker;
use tests::history::Operation;

use crate::support::database::Database;
use crate::support::gesta::{Gesta, events_of, free_address};

/// Clients that send commands at the same time.
const CLIENTS: u64 = 64;
/// Kills of the whole process.
const KILLS: u64 = 20;
/// Commands acknowledged in all, at least.
const ACKNOWLEDGED: u64 = 100_000;
/// Commands acknowledged between two kills, at least: a run that stood still proves nothing.
const BETWEEN_KILLS: u64 = 1_000;
/// The load stops here even if it is short of its goal, and the test fails.
const LOAD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What all clients share.
pub(crate) struct Run {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) began: Instant,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) stop: AtomicBool,
}

impl Run {
    async fn reach(&self, goal: u64) {
        while self.acknowledged.load(Ordering::Relaxed) < goal {
            let late = self.began.elapsed() > LOAD_LIMIT;
            assert!(!late, "only {:?} of {goal} commands acknowledged in {LOAD_LIMIT:?}", self.acknowledged);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn seed() -> u64 {
    let given = std::env::var("GESTA_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    println!("GESTA_SEED={seed}");
    seed
}

/// PLAT-6, PLAT-11, TASK-10, TASK-11: nothing acknowledged is lost or doubled, no version is skipped, no
/// refusal is false, however often the process is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_under_twenty_kills() {
    let seed = seed();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let database = Database::create().await;
    let (listen, ops) = (free_address(), free_address());
    let mut gesta = Gesta::start(&data, &database.url, listen, ops).await;
    let run = Arc::new(Run {
        base: format!("http://{listen}/api/v1"),
        http: reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap(),
        began: Instant::now(),
        acknowledged: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let clients: Vec<_> = (0..CLIENTS).map(|n| tokio::spawn(life::live(Arc::clone(&run), seed ^ n, n))).collect();
    for kill in 1..=KILLS {
        let before = run.acknowledged.load(Ordering::Relaxed);
        run.reach((before + BETWEEN_KILLS).max(kill * ACKNOWLEDGED / (KILLS + 1))).await;
        gesta.kill();
        gesta = Gesta::start(&data, &database.url, listen, ops).await;
    }
    run.reach(ACKNOWLEDGED).await;
    run.stop.store(true, Ordering::Relaxed);
    let mut operations: Vec<Operation> = Vec::new();
    for client in clients {
        operations.extend(client.await.expect("a client lives to its end"));
    }
    let tasks = rows::all_tasks(&run, &operations).await;
    gesta.kill();
    judge(&operations, &data, &tasks);
    println!("{} acknowledged, {} operations, {:?}", run.acknowledged.load(Ordering::Relaxed), operations.len(), run.began.elapsed());
}

fn judge(operations: &[Operation], data: &std::path::Path, tasks: &[rows::TaskRow]) {
    let log = tests::published::read(&events_of(data)).expect("NDJSON of CloudEvents");
    let found = checker::check(operations, &log);
    assert!(found.is_empty(), "{} violations, the first: {:#?}", found.len(), &found[..found.len().min(10)]);
    let different = rows::differences(&log, tasks);
    assert!(different.is_empty(), "{} rows differ, the first: {:#?}", different.len(), &different[..different.len().min(5)]);
}
