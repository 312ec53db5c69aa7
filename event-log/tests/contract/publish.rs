//! The public topics: how they are made and compared, and what stands in them.

use std::time::Instant;

use event_log::{Publisher, PublisherOptions};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use schemas::cloudevent::{CloudEvent, cloud_events};
use schemas::commit::Commit;
use serde_json::json;

use super::topic::{PATIENCE, Topic};

/// Public topics of their own, beside a topic for a log that is not used.
struct Public {
    work: Topic,
    fleet: Topic,
    options: PublisherOptions,
}

impl Public {
    fn new(partitions: u16) -> Self {
        let log = Topic::one_node();
        let named = |context: &str| {
            let mut topic = Topic::one_node();
            topic.name = format!("{}.{context}.events", log.name);
            topic
        };
        let options =
            PublisherOptions { prefix: log.name.clone(), partitions, ..PublisherOptions::new(log.options()) };
        Self { work: named("work"), fleet: named("fleet"), options }
    }

    async fn open(&self) -> Publisher {
        Publisher::open(self.options.clone()).await.unwrap()
    }

    async fn refusal(&self) -> String {
        Publisher::open(self.options.clone()).await.expect_err("it was opened").to_string()
    }

    /// Every record of the topic of the context `work`, once there are `count`.
    fn records(&self, count: usize) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.work.brokers)
            .set("group.id", &self.work.name)
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        let mut places = rdkafka::TopicPartitionList::new();
        for partition in 0..self.options.partitions {
            let (topic, first) = (&self.work.name, rdkafka::Offset::Beginning);
            places.add_partition_offset(topic, i32::from(partition), first).unwrap();
        }
        consumer.assign(&places).unwrap();
        let (mut found, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while found.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} records came", found.len());
            found.extend(consumer.poll(PATIENCE).map(|message| message.unwrap().detach()));
        }
        found
    }
}

/// One event with this key.
fn event(key: &str) -> CloudEvent {
    let commit: Commit = serde_json::from_value(json!({
        "command": {"id": "c-1", "type": "task.create", "bodyHash": "00ff"},
        "home": "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd",
        "tenant": "acme",
        "actor": {"type": "agent", "id": "a-7"},
        "correlation": "flow-1",
        "causation": "c-0",
        "at": "2026-01-02T03:04:05.678Z",
        "events": [
            {"stream": "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd", "version": 1,
             "type": "gesta.work.task.hold_lifted.v1", "v": 1, "data": {}},
        ],
    }))
    .unwrap();
    CloudEvent { partitionkey: key.to_owned(), ..cloud_events(&commit, 1, 0, 2).next().unwrap() }
}

/// BUS-111: a key lands where the clients of Java put it, by the values of `Utils.murmur2` that Kafka publishes
/// in its `UtilsTest`: (hash & 0x7fffffff) modulo the partitions.
#[tokio::test]
async fn keys_land_where_java_puts_them() {
    let published = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    let public = Public::new(31);
    let events: Vec<_> = published.iter().map(|(key, _)| event(key)).collect();
    public.open().await.publish(&events).await.unwrap();
    let mut found: Vec<_> = public
        .records(events.len())
        .iter()
        .map(|record| (String::from_utf8(record.key().unwrap().to_vec()).unwrap(), record.partition()))
        .collect();
    let mut expected = published.map(|(key, hash): (&str, i32)| (key.to_owned(), (hash & 0x7fff_ffff) % 31));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// BUS-111, PLAT-7: attributes are headers, the payload is the value.
#[tokio::test]
async fn a_record_is_the_event_in_binary_mode() {
    let public = Public::new(2);
    let event = event("acme/task/1");
    public.open().await.publish(std::slice::from_ref(&event)).await.unwrap();
    let record = public.records(1).remove(0);
    assert_eq!(record.key(), Some(b"acme/task/1".as_slice()));
    assert_eq!(record.payload(), Some(b"{}".as_slice()), "never empty: that would be a tombstone");
    let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
    let found: Vec<_> =
        record.headers().unwrap().iter().map(|header| (header.key.to_owned(), text(header.value))).collect();
    let expected: Vec<_> =
        event.headers().into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
    assert_eq!(found, expected);
}

/// PLAT-1: topics are made with what keeps their records; another setting is refused by its name.
#[tokio::test]
async fn public_topics_are_made_and_compared() {
    let public = Public::new(3);
    let missing = Publisher::missing(public.options.clone()).await.unwrap();
    assert_eq!(missing, [public.work.name.clone(), public.fleet.name.clone()]);
    drop(public.open().await);
    assert!(Publisher::missing(public.options.clone()).await.unwrap().is_empty());
    public.open().await;

    let other = PublisherOptions { partitions: 4, ..public.options.clone() };
    let why = Publisher::open(other).await.unwrap_err().to_string();
    assert!(why.contains("partitions is 3, but must be 4") && why.contains("publisher.partitions"), "{why}");

    let admin = public.fleet.admin();
    for (setting, value, whole) in
        [("max.message.bytes", "1000", "1048588"), ("cleanup.policy", "compact", "delete")]
    {
        let resource = ResourceSpecifier::Topic(&public.fleet.name);
        let alter = AlterConfig::new(resource).set(setting, value);
        admin.alter_configs([&alter], &AdminOptions::new()).await.unwrap();
        let started = Instant::now();
        // A changed setting shows up a moment later.
        let why = loop {
            match Publisher::open(public.options.clone()).await {
                Err(error) => break error.to_string(),
                Ok(_) => assert!(started.elapsed() < PATIENCE, "{setting} = {value} is taken"),
            }
        };
        let named = format!("topic {}: {setting} is {value}, but must be {whole}", public.fleet.name);
        assert!(why.contains(&named), "{why}");
    }
    assert!(public.refusal().await.contains("kafka-configs"));
}

/// PLAT-1: a dead publisher publishes nothing, and says so.
#[tokio::test]
async fn a_killed_publisher_is_dead() {
    let public = Public::new(1);
    let publisher = public.open().await;
    publisher.publish(&[event("a")]).await.unwrap();
    publisher.kill();
    publisher.publish(&[event("b")]).await.unwrap_err();
    public.open().await.publish(&[event("c")]).await.unwrap();
    let keys: Vec<_> = public.records(2).iter().map(|record| record.key().unwrap().to_vec()).collect();
    assert_eq!(keys, [b"a", b"c"]);
}
