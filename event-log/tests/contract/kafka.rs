//! Initialising and opening a topic, and what is refused by name.

use event_log::{Fence, KafkaError, KafkaOptions, Kind, Log};

use super::support::{SHARDS, append, claim, commits};
use super::topic::Topic;

async fn refusal(options: KafkaOptions) -> String {
    Log::kafka(options).await.expect_err("it was opened").to_string()
}

/// PLAT-1: an initialised log is opened by any number of processes; initialising again changes nothing.
#[tokio::test]
async fn initialising_again_changes_nothing() {
    let topic = Topic::one_node();
    let why = refusal(topic.options()).await;
    assert!(why.contains(&format!("has no topic {}", topic.name)) && why.contains("gesta log init"), "{why}");
    let genesis = Log::kafka_init(topic.options()).await.unwrap();
    assert_eq!((genesis.shards, genesis.deployment.as_str()), (SHARDS, "test"));
    assert_eq!(Log::kafka_init(topic.options()).await.unwrap(), genesis);
    let (one, other) = (topic.log().await, topic.log().await);
    assert_eq!((one.genesis(), one.end(0), one.end(SHARDS - 1)), (&genesis, 1, 1));
    let mut owner = claim(&one, 0).await.ownership;
    append(&one, &mut owner, [1, 2]).await;
    other.watch(0).wait_for(|end| *end == 4).await.unwrap();
    assert_eq!(commits(&other, 0).await, [1, 2]);
    assert_eq!(Log::kafka_init(topic.options()).await.unwrap(), genesis);
    assert_eq!(topic.log().await.end(0), 4);
}

/// PLAT-1: of initialisers at once the first wins, in every shard.
#[tokio::test]
async fn two_initialisers() {
    let topic = Topic::one_node();
    let initialisers: Vec<_> = (0..4).map(|_| tokio::spawn(Log::kafka_init(topic.options()))).collect();
    let mut made = Vec::new();
    for initialiser in initialisers {
        made.push(initialiser.await.unwrap().unwrap());
    }
    made.dedup();
    assert_eq!(made.len(), 1, "{made:?}");
    let log = topic.log().await;
    assert_eq!(log.genesis(), &made[0]);
    for shard in 0..SHARDS {
        assert_eq!(claim(&log, shard).await.ownership.epoch(), 1);
    }
}

/// PLAT-1: an interrupted initialisation is refused until it is completed.
#[tokio::test]
async fn an_interrupted_initialisation_is_completed() {
    let topic = Topic::one_node();
    let genesis = Log::kafka_init(topic.options()).await.unwrap();
    topic.make_anew().await;
    let first = genesis.record();
    topic.foreign(0, Some(&first.fence.encode()), Some(&first.value));
    let why = refusal(topic.options()).await;
    assert!(why.contains("shard 1 of topic") && why.contains("holds no record"), "{why}");
    assert_eq!(Log::kafka_init(topic.options()).await.unwrap(), genesis);
    topic.log().await;
}

/// PLAT-1: a process for another deployment or number of shards is refused by name.
#[tokio::test]
async fn another_deployment_is_refused() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    for init in [false, true] {
        let refused = async |options: KafkaOptions| {
            if init {
                Log::kafka_init(options).await.unwrap_err().to_string()
            } else {
                refusal(options).await
            }
        };
        let why = refused(KafkaOptions { deployment: "production".into(), ..topic.options() }).await;
        assert!(why.contains(r"deployment of the log is test, but production is configured"), "{why}");
        let why = refused(KafkaOptions { shards: 8, ..topic.options() }).await;
        assert!(why.contains("shards of the log is 3, but 8 is configured"), "{why}");
    }
}

/// PLAT-1: a topic with another setting is refused by the setting's name.
#[tokio::test]
async fn another_setting_is_refused_by_name() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    for (setting, value) in [
        ("cleanup.policy", "compact"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "1000000000"),
        ("message.timestamp.type", "CreateTime"),
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "true"),
        ("compression.type", "producer"),
        ("max.message.bytes", "1000"),
    ] {
        topic.set(setting, value).await;
        let why = refusal(topic.options()).await;
        assert!(why.contains(&format!("{setting} is {value}, but must be ")), "{why}");
    }
}

/// PLAT-1: a setting of the client that would make the log unsafe is refused by name; passwords are not shown.
#[tokio::test]
async fn unsafe_client_settings_are_refused() {
    let topic = Topic::one_node();
    let with = |name: &str, value: &str| {
        let mut options = topic.options();
        options.settings.insert(name.to_owned(), value.to_owned());
        options
    };
    for (name, value) in [("enable.idempotence", "false"), ("acks", "1"), ("auto.offset.reset", "earliest")] {
        let why = refusal(with(name, value)).await;
        assert!(why.contains(&format!("{name} = {value} is not possible")), "{why}");
    }
    let why = refusal(with("no.such.setting", "1")).await;
    assert!(why.contains("no.such.setting"), "{why}");
    Log::kafka_init(topic.options()).await.unwrap();
    let why = refusal(with("message.timeout.ms", "7000")).await;
    assert!(why.contains("message.timeout.ms is 7000, but must be more than "), "{why}");
    assert!(!format!("{:?}", with("sasl.password", "hidden")).contains("hidden"));
    let why = refusal(KafkaOptions { brokers: String::new(), ..topic.options() }).await;
    assert!(why.contains("brokers"), "{why}");
}

/// PLAT-1: brokers that are not there are an outage, which says where they were looked for.
#[tokio::test]
async fn brokers_that_are_away_are_named() {
    let topic = Topic::one_node();
    let away = KafkaOptions { brokers: "127.0.0.1:9".into(), ..topic.options() };
    let error = Log::kafka(away).await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    assert!(matches!(&error, KafkaError::Unreachable { brokers, .. } if brokers == "127.0.0.1:9"), "{error}");
}

/// A topic that holds something else is not taken for a log.
#[tokio::test]
async fn a_topic_of_somebody_else_is_refused() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    topic.make_anew().await;
    let fence = Fence { kind: Kind::Commit, epoch: 1, nonce: 1, seq: 1 };
    topic.foreign(0, Some(&fence.encode()), Some(b"{}"));
    let why = Log::kafka_init(topic.options()).await.unwrap_err().to_string();
    assert!(why.contains("shard 0 does not begin with a GENESIS record"), "{why}");
}
