//! The load of the kill and chaos tests: many clients with retries, and a judge that knows only what they saw,
//! the published log and the answers of GraphQL.

mod client;
mod life;
mod rows;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use schemas::position::Token;
use tests::checker;
use tests::history::{Operation, Outcome};
use tokio::task::JoinHandle;

use crate::support::api;

pub(crate) use life::Choices;
pub(crate) use rows::{TaskRow, all_tasks};

/// What all clients share.
pub(crate) struct Run {
    /// Addresses of the commands, `http://host:port`; every try goes to the next one.
    replicas: Vec<String>,
    tries: AtomicUsize,
    /// Address of the queries.
    pub(crate) graphql: String,
    queries: reqwest::Client,
    /// Sends the commands.
    pub(crate) http: reqwest::Client,
    pub(crate) began: Instant,
    /// The run ends here even if it is short of its goal, and the test fails.
    limit: Duration,
    pub(crate) acknowledged: AtomicU64,
    stop: AtomicBool,
    /// The positions of all answers, joined.
    reached: Mutex<Token>,
}

impl Run {
    /// A run that begins now. `replicas` and `queries` are `http://host:port`.
    pub(crate) fn new(
        replicas: Vec<String>,
        queries: &str,
        http: reqwest::Client,
        limit: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            replicas,
            tries: AtomicUsize::new(0),
            graphql: format!("{queries}/graphql"),
            queries: api::http(),
            http,
            began: Instant::now(),
            limit,
            acknowledged: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            reached: Mutex::default(),
        })
    }

    /// Begins to live as `clients` clients, whose choices `seed` decides.
    pub(crate) fn begin(self: &Arc<Self>, clients: u64, seed: u64) -> Vec<JoinHandle<Vec<Operation>>> {
        (0..clients).map(|n| tokio::spawn(life::live(Arc::clone(self), seed ^ n, n))).collect()
    }

    /// Lets every client end what it is at; gives what all of them did.
    pub(crate) async fn end(&self, clients: Vec<JoinHandle<Vec<Operation>>>) -> Vec<Operation> {
        self.stop.store(true, Ordering::Relaxed);
        let mut operations = Vec::new();
        for client in clients {
            operations.extend(client.await.expect("a client lives to its end"));
        }
        eprintln!("load ended after {:?}", self.began.elapsed());
        operations
    }

    /// Where the next try goes.
    pub(crate) fn replica(&self) -> &str {
        &self.replicas[self.tries.fetch_add(1, Ordering::Relaxed) % self.replicas.len()]
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many commands are acknowledged.
    pub(crate) async fn reach(&self, goal: u64) {
        while self.acknowledged() < goal {
            self.still_in_time("acknowledgements of the load");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fails a run that stands still.
    pub(crate) fn still_in_time(&self, what: &str) {
        let (late, limit) = (self.began.elapsed() > self.limit, self.limit);
        assert!(!late, "{limit:?} are over, {what} are missing; {:?} acknowledged", self.acknowledged);
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

/// The seed of a run, printed so that it can be given again.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("GESTA_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    eprintln!("GESTA_SEED={seed}");
    seed
}

/// Checker and fold; the figures say that neither had nothing to judge.
pub(crate) fn judge(operations: &[Operation], published: &str, tasks: &[TaskRow]) {
    let log = tests::published::read(published).expect("NDJSON of CloudEvents");
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
