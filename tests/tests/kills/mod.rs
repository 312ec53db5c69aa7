//! Load from many clients with retries while `gesta dev` is killed again and again; then a judge that
//! knows only what the clients saw, the published log and the answers of GraphQL.

mod client;
mod life;
mod rows;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use schemas::position::Token;
use tests::checker;
use tests::history::{Operation, Outcome};

use crate::support::api::http;
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
/// The run ends here even if it is short of its goal, and the test fails.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// What all clients share.
pub(crate) struct Run {
    /// Address of the commands.
    pub(crate) base: String,
    pub(crate) graphql: String,
    pub(crate) http: reqwest::Client,
    pub(crate) began: Instant,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) stop: AtomicBool,
    /// The positions of all answers, joined.
    reached: Mutex<Token>,
}

impl Run {
    async fn reach(&self, goal: u64) {
        while self.acknowledged.load(Ordering::Relaxed) < goal {
            self.still_in_time("acknowledgements of the load");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fails a run that stands still.
    pub(crate) fn still_in_time(&self, what: &str) {
        let late = self.began.elapsed() > LIMIT;
        assert!(!late, "{LIMIT:?} are over, {what} are missing; {:?} acknowledged", self.acknowledged);
    }

    /// A client was answered at this position.
    pub(crate) fn include(&self, position: &str) {
        let answer: Token = position.parse().expect("an answer carries a token");
        let mut reached = self.reached.lock().expect("no holder panics");
        reached.generation = answer.generation;
        answer.marks.iter().for_each(|(shard, offset)| reached.raise(*shard, *offset));
    }

    /// The token of everything that was answered.
    pub(crate) fn reached(&self) -> Token {
        self.reached.lock().expect("no holder panics").clone()
    }
}

fn seed() -> u64 {
    let given = std::env::var("GESTA_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    eprintln!("GESTA_SEED={seed}");
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
        graphql: format!("http://{listen}/graphql"),
        http: http(),
        began: Instant::now(),
        acknowledged: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        reached: Mutex::default(),
    });
    let clients: Vec<_> =
        (0..CLIENTS).map(|n| tokio::spawn(life::live(Arc::clone(&run), seed ^ n, n))).collect();
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
    eprintln!("load ended after {:?}", run.began.elapsed());
    let tasks = rows::all_tasks(&run).await;
    eprintln!("{} rows read after {:?}", tasks.len(), run.began.elapsed());
    gesta.kill();
    judge(&operations, &data, &tasks);
    let acknowledged = run.acknowledged.load(Ordering::Relaxed);
    eprintln!(
        "{acknowledged} acknowledged, {} operations, {KILLS} kills, {:?}",
        operations.len(),
        run.began.elapsed()
    );
}

/// Checker and fold; the figures say that neither had nothing to judge.
fn judge(operations: &[Operation], data: &std::path::Path, tasks: &[rows::TaskRow]) {
    let log = tests::published::read(&events_of(data)).expect("NDJSON of CloudEvents");
    eprintln!("{} events, {}", log.len(), summary(operations));
    let found = checker::check(operations, &log);
    assert!(found.is_empty(), "{} violations, the first: {:#?}", found.len(), &found[..found.len().min(10)]);
    let different = rows::differences(&log, tasks);
    assert!(
        different.is_empty(),
        "{} rows differ, the first: {:#?}",
        different.len(),
        &different[..different.len().min(5)]
    );
}

/// How often which kind of answer came.
fn summary(operations: &[Operation]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for operation in operations {
        let name = match &operation.outcome {
            Outcome::Accepted(_) => "accepted",
            Outcome::WrongVersion { .. } => "wrong_version",
            Outcome::StaleToken { .. } => "stale_token",
            Outcome::KeyReused => "key_reused",
            Outcome::Failed(code) => code,
            Outcome::Unknown => "unknown",
        };
        *counts.entry(name).or_insert(0_u64) += 1;
    }
    format!("{counts:?}")
}
