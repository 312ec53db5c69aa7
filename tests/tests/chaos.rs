//! Load from many clients on several replicas over a real Kafka, while replicas are killed and frozen and the
//! brokers die; then the same judge as after the kills of one process.

mod cluster;

use std::time::{Duration, Instant};

use cluster::Cluster;
use schemas::position::Token;

use crate::load::{self, Choices, Run};
use crate::support::api::Api;

/// Replicas of the command service.
const REPLICAS: usize = 3;
/// Clients that send commands at the same time.
const CLIENTS: u64 = 48;
/// Rounds of the ordinary run; in each one replica is frozen and wakes up, and four processes are killed.
const ROUNDS: u64 = 20;
/// Every so many rounds a broker is killed, in the others the replica that just woke up.
const BROKER_EVERY: u64 = 2;
/// Commands acknowledged in all, at least, in the ordinary run.
const ACKNOWLEDGED: u64 = 200_000;
/// Commands acknowledged after each round, at least.
const PROGRESS: u64 = 500;
/// Longest time from the end of a round's faults to that progress.
const STANDSTILL: Duration = Duration::from_secs(60);
/// Longer than a session of the group lasts: by then others own the shards of a frozen replica.
const FROZEN: Duration = Duration::from_millis(7_500);
/// Longest answer that a client waits for; a frozen replica gives none.
const ANSWER: Duration = Duration::from_secs(3);
/// Longest run beyond its rounds.
const LIMIT: Duration = Duration::from_secs(45 * 60);

/// Time of a long run, `GESTA_CHAOS_MINUTES`; an ordinary one has so many rounds.
fn asked() -> Option<Duration> {
    let minutes: u64 = std::env::var("GESTA_CHAOS_MINUTES").ok()?.parse().ok()?;
    Some(Duration::from_secs(60 * minutes))
}

struct Chaos {
    cluster: Cluster,
    choices: Choices,
    kills: u64,
    zombies: u64,
    /// From the end of a round's faults to its progress.
    stood: Vec<Duration>,
}

impl Chaos {
    /// One replica freezes, long enough to lose its shards, and wakes up in the middle of what it did; meanwhile the
    /// other two are killed in turn. Then a process of projectors dies, and the broker or the one that woke up.
    async fn round(&mut self, number: u64, run: &Run) {
        let frozen = usize::try_from(self.choices.below(REPLICAS as u64)).expect("a small number");
        self.cluster.replicas[frozen].signal("STOP");
        let until = Instant::now() + FROZEN;
        for other in (0..REPLICAS).filter(|other| *other != frozen) {
            self.pause(1_500).await;
            self.cluster.replicas[other].kill();
            self.pause(300).await;
            self.cluster.restart();
            self.kills += 1;
        }
        tokio::time::sleep_until(until.into()).await;
        self.cluster.replicas[frozen].signal("CONT");
        self.zombies += 1;
        let projectors = usize::try_from(number % 2).expect("0 or 1");
        self.cluster.projectors[projectors].kill();
        self.pause(500).await;
        self.cluster.restart();
        if number.is_multiple_of(BROKER_EVERY) {
            let choice = self.choices.below(3);
            tokio::task::block_in_place(|| self.cluster.brokers.kill_one(choice));
        } else {
            self.cluster.replicas[frozen].kill();
            self.cluster.restart();
        }
        self.kills += 2;
        self.progress(number, run).await;
    }

    async fn pause(&mut self, below_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.choices.below(below_ms))).await;
    }

    async fn progress(&mut self, round: u64, run: &Run) {
        let (from, began) = (run.acknowledged(), Instant::now());
        while run.acknowledged() < from + PROGRESS {
            let late = began.elapsed() > STANDSTILL;
            assert!(!late, "round {round}: no progress in {STANDSTILL:?}\n{}", self.cluster.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.stood.push(began.elapsed());
    }
}

/// Every event from a replica that has read all that any client was told of: a follower may be a moment behind.
async fn published(replica: &Api, run: &Run) -> String {
    let reached = run.reached();
    loop {
        let (status, text) = replica.ops("/events").await;
        assert_eq!(status, 200, "{text}");
        let mut read = Token::default();
        for event in tests::published::read(&text).expect("NDJSON of CloudEvents") {
            read.raise(event.position.shard, event.position.offset);
        }
        if reached.marks.iter().all(|(shard, offset)| read.marks.get(shard) >= Some(offset)) {
            return text;
        }
        run.still_in_time("events that clients were told of");
    }
}

/// PLAT-1, PLAT-6, PLAT-11, TASK-10, TASK-11: with three replicas that are killed, frozen and woken, and a broker that
/// dies, nothing acknowledged is lost or doubled, no version is skipped, no refusal is false.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_in_chaos() {
    let seed = load::seed();
    let cluster = Cluster::start("chaos", 1, REPLICAS).await;
    let http = reqwest::Client::builder().timeout(ANSWER).build().expect("a client without special wishes");
    let (long, limit) = (asked(), LIMIT + asked().unwrap_or_default());
    let bases = cluster.replicas.iter().map(|node| format!("http://{}", node.listen)).collect();
    let run = Run::new(bases, &format!("http://{}", cluster.queries.listen), http, limit);
    let clients = run.begin(CLIENTS, seed);
    let choices = Choices::new(seed);
    let mut chaos = Chaos { cluster, choices, kills: 0, zombies: 0, stood: Vec::new() };
    let mut rounds = 0;
    while long.map_or(rounds < ROUNDS, |long| run.began.elapsed() < long) {
        rounds += 1;
        chaos.round(rounds, &run).await;
        if long.is_none() {
            run.reach(rounds * ACKNOWLEDGED / ROUNDS).await;
        }
        eprintln!("round {rounds}: {} acknowledged after {:?}", run.acknowledged(), run.began.elapsed());
    }
    let operations = run.end(clients).await;
    chaos.cluster.restore().await;
    let tasks = load::all_tasks(&run).await;
    let replica = &chaos.cluster.replicas[0];
    let published = published(&Api::new(replica.listen, replica.ops), &run).await;
    load::judge(&operations, &published, &tasks);
    chaos.stood.sort_unstable();
    eprintln!(
        "{} acknowledged, {} operations, {} kills, {} zombies, progress again after {:?} (median), {:?} (longest), {:?}",
        run.acknowledged(),
        operations.len(),
        chaos.kills,
        chaos.zombies,
        chaos.stood[chaos.stood.len() / 2],
        chaos.stood[chaos.stood.len() - 1],
        run.began.elapsed()
    );
}
