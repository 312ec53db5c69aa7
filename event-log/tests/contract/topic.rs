//! Topics of real brokers, one for each test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use event_log::{KafkaOptions, Log};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::support::SHARDS;

/// Longest wait for a broker in a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// The settings of the log's topic on one broker, apart from those that have these values anyway.
pub(crate) const SETTINGS: [(&str, &str); 5] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("message.timestamp.type", "LogAppendTime"),
    ("compression.type", "uncompressed"),
];
static TOPICS: AtomicU32 = AtomicU32::new(0);

/// A topic of its own, gone with it.
pub(crate) struct Topic {
    pub(crate) brokers: String,
    pub(crate) name: String,
}

/// What a variable of the suite names. Never skipped: without brokers nothing here is shown.
fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} names no brokers: make test starts some; by hand: export {variable}=$(infra/local/kafka.sh start NAME)"
        )
    })
}

impl Topic {
    pub(crate) fn one_node() -> Self {
        Self::at(named("GESTA_KAFKA_BROKERS"))
    }

    pub(crate) fn three_nodes() -> Self {
        Self::at(named("GESTA_KAFKA_BROKERS_THREE"))
    }

    pub(crate) fn at(brokers: String) -> Self {
        let number = TOPICS.fetch_add(1, Ordering::Relaxed);
        Self { brokers, name: format!("gesta.log.test-{}-{number}", std::process::id()) }
    }

    pub(crate) fn options(&self) -> KafkaOptions {
        KafkaOptions { topic: self.name.clone(), ..KafkaOptions::new(&self.brokers, "test", SHARDS) }
    }

    pub(crate) async fn log(&self) -> Log {
        Log::kafka(self.options()).await.unwrap()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    /// Appends a record of somebody else.
    pub(crate) fn foreign(&self, shard: u16, fence: Option<&[u8]>, value: Option<&[u8]>) {
        let producer: BaseProducer = self.config().set("acks", "all").create().unwrap();
        self.send(&producer, shard, fence, value);
        producer.flush(PATIENCE).unwrap();
    }

    /// Appends a record of somebody else's transaction, and behind it the marker of the transaction's end, which
    /// takes an offset and is given to no consumer.
    pub(crate) fn foreign_transaction(&self, shard: u16, committed: bool) {
        let producer: BaseProducer = self.config().set("transactional.id", &self.name).create().unwrap();
        let end = || producer.client().fetch_watermarks(&self.name, i32::from(shard), PATIENCE).unwrap().1;
        let before = end();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        self.send(&producer, shard, None, Some(b"of a transaction"));
        if committed {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.flush(PATIENCE).unwrap();
            producer.abort_transaction(PATIENCE).unwrap();
        }
        // It is written a moment after the brokers answered.
        let started = Instant::now();
        while end() < before + 2 {
            assert!(started.elapsed() < PATIENCE, "no marker came");
            std::thread::sleep(PAUSE);
        }
    }

    fn send(&self, producer: &BaseProducer, shard: u16, fence: Option<&[u8]>, value: Option<&[u8]>) {
        let mut record = BaseRecord::<str, [u8]>::to(&self.name).partition(i32::from(shard)).key("foreign");
        if let Some(value) = value {
            record = record.payload(value);
        }
        if let Some(fence) = fence {
            record = record.headers(
                OwnedHeaders::new()
                    .insert(Header { key: "other", value: Some("x") })
                    .insert(Header { key: "gesta-fence", value: Some(fence) }),
            );
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }

    /// Sets one of the log's settings; the others stay what they must be.
    pub(crate) async fn set(&self, setting: &str, value: &str) {
        // The brokers' old call resets whatever it does not name.
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(&self.name));
        for (name, value) in SETTINGS.into_iter().filter(|(name, _)| *name != setting) {
            change = change.set(name, value);
        }
        let changed = self.admin().alter_configs([&change.set(setting, value)], &AdminOptions::new()).await;
        changed.unwrap().into_iter().for_each(|changed| drop(changed.unwrap()));
    }

    async fn delete(&self) {
        let deleted = self.admin().delete_topics(&[&self.name], &AdminOptions::new()).await.unwrap();
        deleted.into_iter().for_each(|topic| drop(topic.unwrap()));
    }

    /// Deletes the topic and makes it again with the log's settings, empty.
    pub(crate) async fn make_anew(&self) {
        self.delete().await;
        let mut topic = NewTopic::new(&self.name, i32::from(SHARDS), TopicReplication::Fixed(1));
        for (name, value) in SETTINGS {
            topic = topic.set(name, value);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let created = self.admin().create_topics([&topic], &AdminOptions::new()).await.unwrap();
            match &created[0] {
                Ok(_) => return,
                // The brokers are still about deleting the former one.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) if Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err((_, code)) => panic!("{code}"),
            }
        }
    }
}

impl Drop for Topic {
    /// So that hundreds of tests do not burden the brokers; nobody waits for it.
    fn drop(&mut self) {
        let (admin, name) = (self.admin(), self.name.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let delete = move || {
            let _ = runtime.unwrap().block_on(admin.delete_topics(&[&name], &AdminOptions::new()));
        };
        let _ = std::thread::spawn(delete).join();
    }
}
