//! The public topics: how they are made and compared, and what stands in them.

use std::time::Instant;

use event_log::{Content, Log, MemoryOptions, Publisher, PublisherOptions, Record, Start};
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::message::{Headers, Message};
use schemas::cloudevent::{CloudEvent, cloud_events};
use schemas::commit::Commit;

use super::public::{Public, event};
use super::support::{SHARDS, append, at, claim, commit, read_all, record};
use super::topic::{PATIENCE, Topic};

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
    let public = Public::beside(&Topic::one_node(), 31);
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
    let public = Public::beside(&Topic::one_node(), 2);
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
    let public = Public::beside(&Topic::one_node(), 3);
    let log = Log::memory(MemoryOptions::default());
    let missing = Publisher::check(public.options.clone(), &log).await.unwrap();
    let named = |context: &str| format!("{}.{context}.events", public.options.prefix);
    assert_eq!(missing, schemas::registry::contexts().into_iter().map(named).collect::<Vec<_>>());
    drop(public.open().await);
    assert!(Publisher::check(public.options.clone(), &log).await.unwrap().is_empty());
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
        let why = Publisher::check(public.options.clone(), &log).await.unwrap_err().to_string();
        assert!(why.contains(&named), "{why}");
    }
    let why = Publisher::open(public.options.clone()).await.unwrap_err().to_string();
    assert!(why.contains("kafka-configs"), "{why}");
}

/// PLAT-1: what another log published is found, by the last record of each partition, and its topic named; what two
/// publishers of one log wrote is not.
#[tokio::test]
async fn a_topic_of_another_log_is_refused() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    let (log, other) = (topic.log().await, topic.log().await);
    let mut owner = claim(&log, 1).await.ownership;
    append(&log, &mut owner, 1..=5).await;
    let public = Public::beside(&topic, 2);
    let publisher = public.open().await;
    let check = async |log: &Log| Publisher::check(public.options.clone(), log).await;
    for counted in read_all(&log, Start::Beginning(1)).await {
        let Content::Commit(commit) = &counted.content else { continue };
        let events: Vec<_> = cloud_events(commit, 1, 1, counted.offset)
            .map(|event| CloudEvent { partitionkey: counted.offset.to_string(), ..event })
            .collect();
        publisher.publish(&events).await.unwrap();
        assert!(check(&log).await.unwrap().is_empty());
        assert!(check(&other).await.unwrap().is_empty(), "it asks for what it has not followed to yet");
    }
    // The same commits, at the same places, written at another time.
    let same = Log::memory(MemoryOptions { shards: SHARDS, ..MemoryOptions::default() });
    let mut owner = claim(&same, 1).await.ownership;
    for n in 1..=5 {
        let later = Commit { at: at(n + 1), ..commit(n) };
        let value = serde_json::to_vec(&later).unwrap().into();
        let record = Record { value, ..record(&mut owner, n) };
        same.append(1, vec![record]).await.unwrap();
    }
    let empty = Log::memory(MemoryOptions { shards: SHARDS, ..MemoryOptions::default() });
    let narrow = Log::memory(MemoryOptions { shards: 1, ..MemoryOptions::default() });
    for stranger in [same, empty, narrow] {
        let error = check(&stranger).await.unwrap_err();
        assert!(!error.is_outage(), "{error}");
        let why = error.to_string();
        let named = format!("was not published from log {}", stranger.genesis().log_id);
        assert!(why.contains(&public.work.name) && why.contains(&named), "{why}");
        assert!(why.contains("publisher.prefix"), "{why}");
    }
    public.work.foreign(0, None, Some(b"of nobody"));
    public.work.foreign(1, None, None);
    assert!(check(&log).await.unwrap().is_empty(), "a record that no publisher wrote tells nothing");
}

/// PLAT-1: a dead publisher publishes nothing, and says so.
#[tokio::test]
async fn a_killed_publisher_is_dead() {
    let public = Public::beside(&Topic::one_node(), 1);
    let publisher = public.open().await;
    publisher.publish(&[event("a")]).await.unwrap();
    publisher.kill();
    publisher.publish(&[event("b")]).await.unwrap_err();
    public.open().await.publish(&[event("c")]).await.unwrap();
    let keys: Vec<_> = public.records(2).iter().map(|record| record.key().unwrap().to_vec()).collect();
    assert_eq!(keys, [b"a", b"c"]);
}
