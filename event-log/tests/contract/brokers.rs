//! Brokers that die while records are on their way.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use event_log::{AppendError, Claimed, KafkaError, KafkaOptions, Log, Publisher, Record};
use rdkafka::message::Message;

use super::public::{Public, event};
use super::support::{append, claim, commits, cursor, record};
use super::topic::{PATIENCE, Topic};

/// Commits proven between two kills; a multiple of a batch.
const BETWEEN_KILLS: usize = 300;

/// Brokers of a test's own, to be ended.
pub(crate) struct Brokers {
    instance: String,
    pub(crate) addresses: String,
}

impl Brokers {
    /// One node, or three.
    pub(crate) fn start(name: &str, nodes: u32) -> Self {
        Self::with(name, nodes, &[])
    }

    /// With further variables for the script.
    pub(crate) fn with(name: &str, nodes: u32, variables: &[(&str, &str)]) -> Self {
        // Found by its process by `kafka.sh sweep test`, should this one be ended in the middle.
        let kind = if nodes == 3 { "three/" } else { "" };
        let instance = format!("{kind}test/{}/{name}", std::process::id());
        let addresses = run_with(&["start", &instance], variables);
        Self { instance, addresses }
    }

    /// Where the brokers listen for clients that come by proxies.
    pub(crate) fn detours(&self) -> Vec<String> {
        run(&["detours", &self.instance]).lines().map(str::to_owned).collect()
    }

    /// The data of the one broker.
    pub(crate) fn data(&self) -> PathBuf {
        let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local");
        local.join(&self.instance).join("kafka/node1/data")
    }

    pub(crate) fn kill(&self, node: u32) {
        run(&["kill", &self.instance, &node.to_string()]);
    }

    /// Stops one where it is: its connections stay open, and nothing comes from it.
    pub(crate) fn freeze(&self, node: u32) {
        run(&["freeze", &self.instance, &node.to_string()]);
    }

    pub(crate) fn thaw(&self, node: u32) {
        run(&["thaw", &self.instance, &node.to_string()]);
    }

    /// Starts again what was killed, at the same addresses.
    pub(crate) fn restart(&self) {
        assert_eq!(run(&["start", &self.instance]), self.addresses);
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        run(&["reset", &self.instance]);
    }
}

fn run(arguments: &[&str]) -> String {
    run_with(arguments, &[])
}

fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local/kafka.sh");
    let mut command = Command::new(script);
    command.args(arguments).env_remove("GESTA_KAFKA_BROKERS").envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Initialises as an operator does: again while the brokers are still about starting.
pub(crate) async fn initialise(options: &KafkaOptions) {
    let started = Instant::now();
    while let Err(error) = Log::kafka_init(options.clone()).await {
        let again = error.is_outage() || matches!(error, KafkaError::Append(_));
        assert!(again && started.elapsed() < 4 * PATIENCE, "{error}");
    }
}

/// Opens as a role does: again while the brokers are away.
pub(crate) async fn opened(options: &KafkaOptions) -> Log {
    let started = Instant::now();
    loop {
        match Log::kafka(options.clone()).await {
            Ok(log) => return log,
            Err(error) => assert!(error.is_outage() && started.elapsed() < 4 * PATIENCE, "{error}"),
        }
    }
}

/// Claims as an owner does: again after whatever says that it may.
pub(crate) async fn claim_again(log: &Log, shard: u16) -> Claimed {
    let started = Instant::now();
    loop {
        match log.claim(shard, "").await {
            Ok(claimed) => return claimed,
            Err(error) => assert!(started.elapsed() < 4 * PATIENCE, "{error}"),
        }
    }
}

/// Appends until `enough` commits are proven. Every report is the expected offset or unconfirmed.
/// Gives the numbers of what was proven, and how often the proof broke.
async fn flood(log: &Log, enough: usize, mut between: impl FnMut(usize)) -> (Vec<u64>, usize) {
    let (mut proven, mut breaks, mut next) = (Vec::new(), 0, 1);
    let mut owner = claim_again(log, 0).await.ownership;
    while proven.len() < enough {
        between(proven.len());
        let numbers = next..next + 5;
        next += 5;
        let first = owner.next_seq();
        let records: Vec<Record> = numbers.clone().map(|n| record(&mut owner, n)).collect();
        match log.append(0, records).await {
            Ok(offsets) => {
                for (seq, offset) in (first..).zip(offsets) {
                    assert_eq!(offset, owner.offset_of(seq), "nobody else writes");
                    owner.report(seq, Some(offset)).unwrap();
                }
                proven.extend(numbers);
            }
            Err(AppendError::Unconfirmed { .. }) => {
                breaks += 1;
                owner = claim_again(log, 0).await.ownership;
            }
            Err(error) => panic!("{error}"),
        }
    }
    (proven, breaks)
}

/// PLAT-1: what was proven is there after every kill of a broker, once and in order; nothing else
/// comes in between but what is unconfirmed.
async fn survive(brokers: &Brokers, kills: &'static [u32]) {
    let topic = Topic::at(brokers.addresses.clone());
    let mut options = topic.options();
    options.settings.insert("message.timeout.ms".into(), "15000".into());
    initialise(&options).await;
    let log = opened(&options).await;
    let (kill, killed) = std::sync::mpsc::channel::<u32>();
    let (proven, breaks) = std::thread::scope(|scope| {
        scope.spawn(move || {
            for node in killed {
                brokers.kill(node);
                brokers.restart();
            }
        });
        let flooded = tokio::task::block_in_place(|| {
            let enough = BETWEEN_KILLS * (kills.len() + 1);
            let mut kills = kills.iter();
            tokio::runtime::Handle::current().block_on(flood(&log, enough, |done| {
                if done > 0 && done % BETWEEN_KILLS == 0 {
                    kills.next().into_iter().for_each(|node| kill.send(*node).unwrap());
                }
            }))
        });
        drop(kill);
        flooded
    });
    let there = commits(&opened(&options).await, 0).await;
    let mut sorted = there.clone();
    sorted.dedup();
    assert!(sorted.is_sorted() && sorted.len() == there.len(), "each commit once, in order");
    let lost: Vec<_> = proven.iter().filter(|n| there.binary_search(n).is_err()).collect();
    assert!(lost.is_empty(), "{lost:?} were proven and are gone; the proof broke {breaks} times");
    assert_eq!(commits(&log, 0).await, there, "who saw it all sees the same");
}

/// PLAT-1
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_killed_during_appends() {
    let brokers = tokio::task::spawn_blocking(|| Brokers::start("killed", 1)).await.unwrap();
    survive(&brokers, &[1, 1]).await;
}

/// PLAT-1
#[tokio::test(flavor = "multi_thread")]
async fn leaders_are_killed_during_appends() {
    let brokers = tokio::task::spawn_blocking(|| Brokers::start("killed", 3)).await.unwrap();
    survive(&brokers, &[1, 2, 3]).await;
}

/// PLAT-1: while the brokers are away a batch ends unconfirmed, readers wait, and all go on by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_out() {
    let brokers = tokio::task::spawn_blocking(|| Brokers::start("away", 1)).await.unwrap();
    let topic = Topic::at(brokers.addresses.clone());
    let mut options = topic.options();
    options.settings.insert("message.timeout.ms".into(), "9500".into());
    initialise(&options).await;
    let log = opened(&options).await;
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [1]).await;
    let stood = cursor(&log, 0).await;
    brokers.kill(1);
    let unproven = vec![record(&mut owner, 2)];
    let refused = log.append(0, unproven).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unconfirmed { .. }), "{refused}");
    let waiting = log.reader(event_log::Start::Cursor(stood));
    let waiting = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(waiting.is_err(), "an outage is no damage");
    let claiming = tokio::spawn({
        let log = log.clone();
        async move { claim_again(&log, 0).await }
    });
    brokers.restart();
    let mut owner = claiming.await.unwrap().ownership;
    append(&log, &mut owner, [3]).await;
    let there = commits(&log, 0).await;
    assert!([vec![1, 3], vec![1, 2, 3]].contains(&there), "{there:?}");
}

/// PLAT-1: a publisher waits for brokers that are away, however long a client else would, and then goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_waits_for_its_brokers() {
    let brokers = tokio::task::spawn_blocking(|| Brokers::start("public", 1)).await.unwrap();
    let mut public = Public::beside(&Topic::at(brokers.addresses.clone()), 2);
    // The log's client would have given up long before the brokers are back.
    public.options.kafka.settings.insert("message.timeout.ms".into(), "100".into());
    let started = Instant::now();
    let publisher = loop {
        match Publisher::open(public.options.clone()).await {
            Ok(publisher) => break publisher,
            Err(error) => assert!(error.is_outage() && started.elapsed() < 4 * PATIENCE, "{error}"),
        }
    };
    let keys: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let events: Vec<_> = keys.iter().map(|key| event(key)).collect();
    let (before, after) = events.split_at(20);
    publisher.publish(before).await.unwrap();
    brokers.kill(1);
    let waiting = tokio::time::timeout(Duration::from_secs(2), publisher.publish(after)).await;
    assert!(waiting.is_err(), "nobody confirmed it");
    brokers.restart();
    publisher.publish(after).await.unwrap();
    let mut found: Vec<_> = public
        .records(60)
        .iter()
        .map(|record| String::from_utf8(record.key().unwrap().to_vec()).unwrap())
        .collect();
    found.sort();
    found.dedup();
    let mut keys = keys;
    keys.sort();
    assert_eq!(found, keys, "what was handed over twice is there twice, and nothing is missing");
}
