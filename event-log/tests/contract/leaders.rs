//! Leaders of shards that fall silent: their connections stay open, and nothing comes from them.

use std::time::{Duration, Instant};

use event_log::{AppendError, Log, Ownership};
use tokio::task::{JoinHandle, spawn_blocking};

use super::brokers::{Brokers, claim_again, initialise, opened};
use super::proxy::Proxy;
use super::support::{append, commits, record};
use super::topic::{PATIENCE, Topic};

const NODES: u32 = 3;
/// Two for each broker.
const SHARDS: u16 = 6;

/// The brokers spread the leaders evenly, and soon.
const SPREAD: &str = "leader.imbalance.check.interval.seconds=1\nleader.imbalance.per.broker.percentage=0";
/// How long the client tries to deliver a record: much longer than the brokers take to elect a leader.
const TRIES: Duration = Duration::from_secs(90);
/// So long that a test waits for it.
const FEW_TRIES: Duration = Duration::from_secs(16);
/// How much later the second of two records goes that are both given up.
const LATER: Duration = Duration::from_secs(10);

/// Three brokers, and a log on them of which each leads several shards.
struct Cluster {
    log: Log,
    topic: Topic,
    /// By which the log reaches each broker.
    proxies: Vec<Proxy>,
    /// Ended last.
    brokers: Brokers,
}

impl Cluster {
    async fn start(name: &'static str, tries: Duration) -> Self {
        let mut listeners = Vec::new();
        for _ in 0..NODES {
            listeners.push(Proxy::listener().await);
        }
        let addresses: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap().to_string()).collect();
        let detours = addresses.join(" ");
        let started = spawn_blocking(move || {
            let variables = [("GESTA_KAFKA_DETOURS", &*detours), ("GESTA_KAFKA_PROPERTIES", SPREAD)];
            Brokers::with(name, NODES, &variables)
        });
        let brokers = started.await.unwrap();
        let targets = brokers.detours();
        let proxies = listeners
            .into_iter()
            .zip(targets)
            .map(|(listener, target)| Proxy::at(listener, target))
            .collect();
        let topic = Topic::at(brokers.addresses.clone());
        let mut options = topic.options();
        options.shards = SHARDS;
        initialise(&options).await;
        options.brokers = addresses.join(",");
        options.settings.insert("message.timeout.ms".into(), tries.as_millis().to_string());
        Self { log: opened(&options).await, topic, proxies, brokers }
    }

    /// Waits until each broker leads as many shards as the others; gives the shards of the first two.
    fn led(&self) -> (Vec<u16>, Vec<u16>) {
        let started = Instant::now();
        loop {
            let leaders = self.leaders();
            let of = |node| {
                (0..).zip(&leaders).filter(|(_, leader)| **leader == node).map(|(shard, _)| shard).collect()
            };
            let led: [Vec<u16>; 3] = [1, 2, 3].map(of);
            if led.iter().all(|shards| shards.len() == 2) {
                let [first, second, _] = led;
                return (first, second);
            }
            assert!(started.elapsed() < 4 * PATIENCE, "{leaders:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The leader of each shard.
    fn leaders(&self) -> Vec<i32> {
        let metadata = self.topic.admin().inner().fetch_metadata(Some(&self.topic.name), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions();
        let mut leaders: Vec<_> =
            partitions.iter().map(|partition| (partition.id(), partition.leader())).collect();
        leaders.sort_unstable();
        leaders.into_iter().map(|(_, leader)| leader).collect()
    }

    async fn owner(&self, shard: u16) -> Ownership {
        claim_again(&self.log, shard).await.ownership
    }

    /// Appends one commit, without waiting for it.
    fn begin(&self, owner: &mut Ownership, number: u64) -> JoinHandle<Result<Vec<u64>, AppendError>> {
        let (log, shard, records) = (self.log.clone(), owner.shard(), vec![record(owner, number)]);
        tokio::spawn(async move { log.append(shard, records).await })
    }
}

/// PLAT-1: a leader that falls silent costs its shards the time until the brokers elected another one: their records are
/// on their way to it long before the client gives them up.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_leader_is_replaced() {
    let cluster = Cluster::start("replaced", TRIES).await;
    let (silent, live) = cluster.led();
    let (mut owner, mut other) = (cluster.owner(silent[0]).await, cluster.owner(live[0]).await);
    append(&cluster.log, &mut owner, [1]).await;
    cluster.brokers.freeze(1);
    let frozen = Instant::now();
    let under_way = cluster.begin(&mut owner, 2);
    append(&cluster.log, &mut other, [3]).await;
    let others = frozen.elapsed();
    under_way.await.unwrap().expect("it is delivered to the next leader");
    eprintln!(
        "acknowledged {others:?} after a leader fell silent, and {:?} in its own shard",
        frozen.elapsed()
    );
    assert_eq!(commits(&cluster.log, silent[0]).await, [1, 2]);
    cluster.brokers.thaw(1);
}

/// PLAT-1: while a silent leader is not replaced, its shards wait and no other one does, also when the client
/// has given up a record of one of its shards and not yet that of another.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_leader_stalls_only_its_own_shards() {
    let cluster = Cluster::start("silent", FEW_TRIES).await;
    let (silent, live) = cluster.led();
    let (mut first, mut second) = (cluster.owner(silent[0]).await, cluster.owner(silent[1]).await);
    let mut other = cluster.owner(live[0]).await;
    // For this process only, so that the brokers see no reason to replace it.
    cluster.proxies[0].silence();
    let given_up = cluster.begin(&mut first, 1);
    append(&cluster.log, &mut other, [2]).await;
    assert!(!given_up.is_finished(), "nobody leads its shard");
    tokio::time::sleep(LATER).await;
    let waiting = cluster.begin(&mut second, 3);
    let refused = given_up.await.unwrap().unwrap_err();
    assert!(matches!(refused, AppendError::Unconfirmed { .. }), "{refused}");
    append(&cluster.log, &mut other, [4, 5]).await;
    assert!(!waiting.is_finished(), "the other shards waited for those of the silent leader");
    cluster.proxies[0].mend();
    for shard in silent {
        append(&cluster.log, &mut cluster.owner(shard).await, [6]).await;
    }
    assert_eq!(commits(&cluster.log, live[0]).await, [2, 4, 5]);
}
