//! Load from many clients on several replicas over a real Kafka, while replicas are killed and frozen, the ways between
//! processes fall silent and brokers die; then the same judge as after the kills of one process.

mod cluster;
mod full_disk;
mod leaders;
mod outage;

use std::time::{Duration, Instant};

use cluster::{Cluster, Node, own_all};
use schemas::position::Token;
use tokio::task::block_in_place;

use crate::load::{self, Choices, Run};
use crate::support::api::Api;
use crate::support::proxy::Proxy;

/// Replicas of the command service.
const REPLICAS: usize = 3;
/// Clients that send commands at the same time.
const CLIENTS: u64 = 96;
/// Rounds of the ordinary run; in each one replica is frozen and wakes up, a line is silent, and four processes are killed.
const ROUNDS: u64 = 20;
/// Every so many rounds a broker is killed, in the others the replica that just woke up.
const BROKER_EVERY: u64 = 2;
/// Commands acknowledged in all, at least, in the ordinary run.
const ACKNOWLEDGED: u64 = 200_000;
/// Commands acknowledged after each round, at least.
const PROGRESS: u64 = 500;
/// Longest time from the end of a round's faults to that progress.
const STANDSTILL: Duration = Duration::from_secs(60);
/// Longest time until others own the shards of a frozen replica; generous, for they are killed and start meanwhile.
const TAKE_OVER: Duration = Duration::from_secs(240);
/// Longest silence of a line beyond the kills that happen meanwhile, in milliseconds; a session of the group is shorter.
const SILENT_MS: u64 = 6_000;
/// Longest answer that most clients wait for; a frozen replica gives none.
const ANSWER: Duration = Duration::from_millis(1_500);
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
    silences: u64,
    /// From the end of a round's faults to its progress.
    stood: Vec<Duration>,
}

impl Chaos {
    async fn round(&mut self, number: u64, run: &Run) {
        let woken = self.zombie(number).await;
        self.silence(number, woken).await;
        self.progress(number, run).await;
    }

    /// One replica freezes with its appends on their way, and both others are killed in turn. Once they own its shards,
    /// its appends arrive at the broker, and it wakes up to their reports. Tells which one it is.
    async fn zombie(&mut self, round: u64) -> usize {
        let frozen = self.below(REPLICAS);
        self.way_to_the_brokers(frozen).silence();
        self.pause(1_000).await;
        self.cluster.replicas[frozen].signal("STOP");
        for other in (0..REPLICAS).filter(|other| *other != frozen) {
            self.pause(1_500).await;
            self.cluster.replicas[other].kill();
            self.pause(300).await;
            self.cluster.restart();
            self.kills += 1;
        }
        let others = self.cluster.replicas.iter().enumerate().filter(|(other, _)| *other != frozen);
        let others: Vec<&Node> = others.map(|(_, node)| node).collect();
        let began = Instant::now();
        while !own_all(&others).await {
            let late = began.elapsed() > TAKE_OVER;
            assert!(!late, "round {round}: nobody took over in {TAKE_OVER:?}\n{}", self.cluster.last_words());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.way_to_the_brokers(frozen).mend();
        self.pause(300).await;
        self.cluster.replicas[frozen].signal("CONT");
        self.zombies += 1;
        frozen
    }

    fn way_to_the_brokers(&self, replica: usize) -> &Proxy {
        self.cluster.replicas[replica].lines.brokers.as_ref().expect("it is the one with proxies")
    }

    /// A line between two processes is silent. Meanwhile a process of projectors dies, and the broker or the replica
    /// that woke up.
    async fn silence(&mut self, round: u64, woken: usize) {
        let line = self.below(self.cluster.lines().len());
        self.cluster.lines()[line].silence();
        self.silences += 1;
        let projectors = usize::try_from(round % 2).expect("0 or 1");
        self.cluster.projectors[projectors].kill();
        self.pause(500).await;
        self.cluster.restart();
        if round.is_multiple_of(BROKER_EVERY) {
            block_in_place(|| {
                self.cluster.brokers.kill(0);
                self.cluster.brokers.restart();
            });
        } else {
            self.cluster.replicas[woken].kill();
            self.cluster.restart();
        }
        self.kills += 2;
        self.pause(SILENT_MS).await;
        self.cluster.lines()[line].mend();
    }

    fn below(&mut self, limit: usize) -> usize {
        let chosen = self.choices.below(limit as u64);
        usize::try_from(chosen).expect("below a usize")
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

/// PLAT-1, PLAT-6, PLAT-11, TASK-10, TASK-11: with three replicas that are killed, frozen and woken with stale appends on
/// their way, lines that fall silent and a broker that dies, nothing acknowledged is lost or doubled, no version is
/// skipped, no refusal is false.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_in_chaos() {
    let seed = load::seed();
    let cluster = Cluster::with_proxies("chaos", REPLICAS).await;
    let http = reqwest::Client::builder().timeout(ANSWER).build().expect("a client without special wishes");
    let (long, limit) = (asked(), LIMIT + asked().unwrap_or_default());
    let bases = cluster.replicas.iter().map(Node::address).collect();
    let run = Run::new(bases, &cluster.queries.address(), http, limit);
    let clients = run.begin(CLIENTS, seed);
    let choices = Choices::new(seed);
    let mut chaos = Chaos { cluster, choices, kills: 0, zombies: 0, silences: 0, stood: Vec::new() };
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
    let published = published(&chaos.cluster.replicas[0].api(), &run).await;
    load::judge(&operations, &published, &tasks);
    let stale = block_in_place(|| chaos.cluster.stale_records());
    chaos.stood.sort_unstable();
    eprintln!(
        "{} acknowledged, {} operations, {} kills, {} zombies, {stale} stale records, {} silent lines, progress again \
         after {:?} (median), {:?} (longest), {:?}",
        run.acknowledged(),
        operations.len(),
        chaos.kills,
        chaos.zombies,
        chaos.silences,
        chaos.stood[chaos.stood.len() / 2],
        chaos.stood[chaos.stood.len() - 1],
        run.began.elapsed()
    );
    assert!(stale > 0, "no replica woke up in the middle of an append: the run did not show what it is for");
}
