//! What the topic and the cluster must be set to (log.md §1): created so, and compared ever after.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::client::Context;
use super::options::{KafkaError, KafkaOptions};
use super::producer::{MESSAGE_TIMEOUT_MARGIN, message_timeout};
use super::remote::ASK;

/// Largest batch that the topic takes, in bytes; librdkafka sends at most 1,000,000.
pub(super) const MAX_MESSAGE_BYTES: usize = 1_048_588;
/// How long the brokers may take to tell the settings of a topic that was just created.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// Between two questions for them.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Stands for a setting that the brokers do not tell.
const NOT_TOLD: &str = "not told";
/// Copies of every record where there are as many brokers.
const COPIES: usize = 3;

/// What the log's topic must be set to on a cluster of so many brokers: name, value.
fn required(brokers: usize) -> Vec<(&'static str, String)> {
    let own = [
        ("retention.ms", "-1".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        // Whatever a foreign writer uses, every reader can pass over it.
        ("compression.type", "uncompressed".to_owned()),
    ];
    own.into_iter().chain(of_any_topic(brokers)).collect()
}

/// What keeps the records of any topic of ours safe, and lets the largest one in.
pub(super) fn of_any_topic(brokers: usize) -> [(&'static str, String); 4] {
    let written = if copies(brokers) == COPIES { "2" } else { "1" };
    [
        ("cleanup.policy", "delete".to_owned()),
        ("min.insync.replicas", written.to_owned()),
        ("unclean.leader.election.enable", "false".to_owned()),
        ("max.message.bytes", MAX_MESSAGE_BYTES.to_string()),
    ]
}

/// Copies of every record that a cluster of so many brokers keeps.
pub(super) fn copies(brokers: usize) -> usize {
    if brokers >= COPIES { COPIES } else { 1 }
}

/// The settings with which the topic is created.
pub(super) fn for_creation(brokers: usize) -> BTreeMap<&'static str, String> {
    required(brokers).into_iter().collect()
}

/// What the brokers tell of themselves and the topic.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Number of brokers.
    pub(super) brokers: usize,
    /// Id of one of them.
    broker: i32,
    /// Copies of each partition; none when there is no such topic.
    pub(super) partitions: Option<Vec<usize>>,
}

/// Asks for the cluster and the topic; blocks.
pub(super) fn cluster(client: &Client<Context>, options: &KafkaOptions) -> Result<Cluster, KafkaError> {
    let failed = |error| KafkaError::unreachable(options, "asking for the topic", error);
    let metadata = client.fetch_metadata(Some(&options.topic), ASK).map_err(failed)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == options.topic);
    let partitions = match topic.map(|topic| (topic, topic.error())) {
        Some((topic, None)) => Some(topic.partitions().iter().map(|p| p.replicas().len()).collect()),
        None | Some((_, Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))) => None,
        Some((_, Some(code))) => {
            return Err(failed(rdkafka::error::KafkaError::MetadataFetch(RDKafkaErrorCode::from(code))));
        }
    };
    let Some(broker) = metadata.brokers().first().map(|broker| broker.id()) else {
        return Err(failed(rdkafka::error::KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerNotAvailable)));
    };
    Ok(Cluster { brokers: metadata.brokers().len(), broker, partitions })
}

/// Creates the topic; another process may have been faster.
pub(super) async fn create(
    admin: &AdminClient<Context>,
    cluster: &Cluster,
    options: &KafkaOptions,
    partitions: i32,
    settings: &BTreeMap<&'static str, String>,
) -> Result<(), KafkaError> {
    let copies = i32::try_from(copies(cluster.brokers)).unwrap_or(1);
    let mut topic = NewTopic::new(&options.topic, partitions, TopicReplication::Fixed(copies));
    for (name, value) in settings {
        topic = topic.set(name, value);
    }
    let within = AdminOptions::new().request_timeout(Some(TOLD_WITHIN)).operation_timeout(Some(TOLD_WITHIN));
    let failed = |error| KafkaError::unreachable(options, "creating the topic", error);
    for created in admin.create_topics([&topic], &within).await.map_err(failed)? {
        match created {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(failed(rdkafka::error::KafkaError::AdminOp(code))),
        }
    }
    Ok(())
}

/// Compares everything that keeps the log safe with what it must be.
pub(super) async fn check(
    admin: &AdminClient<Context>,
    cluster: &Cluster,
    options: &KafkaOptions,
) -> Result<(), KafkaError> {
    check_topic(admin, cluster, options, &required(cluster.brokers)).await?;
    // A question about a broker goes to that broker, so it is one of its own.
    let broker = described(admin, options, ResourceSpecifier::Broker(cluster.broker)).await?;
    let name = "broker.session.timeout.ms";
    let session = broker.map(|broker| found(&broker, name)).and_then(|is| is.parse::<u64>().ok());
    let least = Duration::from_millis(session.unwrap_or(0)) + MESSAGE_TIMEOUT_MARGIN;
    let timeout = message_timeout(options)?;
    if timeout <= least {
        let wanted = format!("more than {} ({name} of the brokers + 5000)", least.as_millis());
        let advice = "raise it in the settings of the client";
        return refuse("this client", "message.timeout.ms", timeout.as_millis().to_string(), wanted, advice);
    }
    Ok(())
}

/// Compares the copies and settings of a topic with what is wanted: name, value.
pub(super) async fn check_topic(
    admin: &AdminClient<Context>,
    cluster: &Cluster,
    options: &KafkaOptions,
    required: &[(&'static str, String)],
) -> Result<(), KafkaError> {
    let topic = format!("topic {}", options.topic);
    let partitions = cluster.partitions.as_deref().unwrap_or_default();
    let wanted = copies(cluster.brokers);
    if let Some(fewest) = partitions.iter().min().filter(|copies| **copies < wanted) {
        let advice = "move its partitions to more brokers (kafka-reassign-partitions)";
        return refuse(&topic, "replication.factor", fewest.to_string(), wanted.to_string(), advice);
    }
    let told = described(admin, options, ResourceSpecifier::Topic(&options.topic)).await?;
    for (name, wanted) in required {
        let is = told.as_ref().map_or_else(|| NOT_TOLD.to_owned(), |resource| found(resource, name));
        let enough = match *name {
            "max.message.bytes" => is.parse().is_ok_and(|bytes: usize| bytes >= MAX_MESSAGE_BYTES),
            _ => is == *wanted,
        };
        if !enough {
            return refuse(&topic, name, is, wanted.clone(), "set it so (kafka-configs --alter)");
        }
    }
    Ok(())
}

fn refuse(
    holder: &str,
    setting: &str,
    found: String,
    wanted: String,
    advice: &'static str,
) -> Result<(), KafkaError> {
    let (holder, setting) = (holder.to_owned(), setting.to_owned());
    Err(KafkaError::Setting { holder, setting, found, wanted, advice })
}

fn found(resource: &ConfigResource, name: &str) -> String {
    let entry = resource.get(name).and_then(|entry| entry.value.clone());
    entry.unwrap_or_else(|| NOT_TOLD.to_owned())
}

/// The settings of one of them. A broker that has not heard of a new topic yet tells none of it; so it
/// is asked again.
async fn described(
    admin: &AdminClient<Context>,
    options: &KafkaOptions,
    resource: ResourceSpecifier<'_>,
) -> Result<Option<ConfigResource>, KafkaError> {
    let failed = |error| KafkaError::unreachable(options, "asking for the settings of the topic", error);
    let within = AdminOptions::new().request_timeout(Some(ASK));
    let started = Instant::now();
    loop {
        let answer = admin.describe_configs([&resource], &within).await.map_err(failed)?.pop();
        let unheard = match &answer {
            Some(Ok(told)) => told.entries.is_empty(),
            Some(Err(code)) => *code == RDKafkaErrorCode::UnknownTopicOrPartition,
            None => true,
        };
        if !unheard || started.elapsed() >= TOLD_WITHIN {
            let failed = |code| failed(rdkafka::error::KafkaError::AdminOp(code));
            return answer.transpose().map_err(failed);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
