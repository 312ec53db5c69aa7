//! What the topic and the cluster must be set to (log.md §1): created so, and compared ever after.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::client::{Consumer, Context};
use super::options::{KafkaError, KafkaOptions};
use super::producer::{MESSAGE_TIMEOUT_MARGIN, message_timeout};
use super::remote::ASK;

/// Largest batch that the topic takes, in bytes; librdkafka sends at most 1,000,000.
pub(super) const MAX_MESSAGE_BYTES: usize = 1_048_588;
/// How long the brokers may take to tell the settings of a topic that was just created.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// Between two questions for them.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Copies of every record where there are as many brokers.
const COPIES: usize = 3;

/// What a topic must be set to on a cluster of so many brokers: name, value.
fn required(brokers: usize) -> [(&'static str, String); 8] {
    let written = if copies(brokers) == COPIES { "2" } else { "1" };
    [
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", "-1".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("min.insync.replicas", written.to_owned()),
        ("unclean.leader.election.enable", "false".to_owned()),
        // Whatever a foreign writer uses, every reader can pass over it.
        ("compression.type", "uncompressed".to_owned()),
        ("max.message.bytes", MAX_MESSAGE_BYTES.to_string()),
    ]
}

/// Copies of every record that a cluster of so many brokers keeps.
pub(super) fn copies(brokers: usize) -> usize {
    if brokers >= COPIES { COPIES } else { 1 }
}

/// The settings with which the topic is created.
pub(super) fn for_creation(brokers: usize) -> BTreeMap<&'static str, String> {
    required(brokers).into()
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
pub(super) fn cluster(consumer: &Consumer, options: &KafkaOptions) -> Result<Cluster, KafkaError> {
    let failed = |error| KafkaError::unreachable(options, "asking for the topic", error);
    let metadata = consumer.fetch_metadata(Some(&options.topic), ASK).map_err(failed)?;
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

/// Compares everything that keeps the log safe with what it must be.
pub(super) async fn check(
    admin: &AdminClient<Context>,
    cluster: &Cluster,
    options: &KafkaOptions,
) -> Result<(), KafkaError> {
    let topic = format!("topic {}", options.topic);
    let refuse = |holder: &str, setting: &str, found: String, wanted: String, advice| {
        let (holder, setting) = (holder.to_owned(), setting.to_owned());
        Err(KafkaError::Setting { holder, setting, found, wanted, advice })
    };
    let partitions = cluster.partitions.as_deref().unwrap_or_default();
    let wanted = copies(cluster.brokers);
    if let Some(fewest) = partitions.iter().min().filter(|copies| **copies < wanted) {
        let advice = "move its partitions to more brokers (kafka-reassign-partitions)";
        return refuse(&topic, "replication.factor", fewest.to_string(), wanted.to_string(), advice);
    }
    let mut asked = describe(admin, options, cluster.broker).await?;
    let broker = asked.pop();
    let found = |resource: &ConfigResource, name: &str| {
        let entry = resource.get(name).and_then(|entry| entry.value.clone());
        entry.unwrap_or_else(|| "not told".to_owned())
    };
    for (name, wanted) in required(cluster.brokers) {
        let is = asked.first().map_or_else(|| "not told".to_owned(), |resource| found(resource, name));
        let enough = match name {
            "max.message.bytes" => is.parse().is_ok_and(|bytes: usize| bytes >= MAX_MESSAGE_BYTES),
            _ => is == wanted,
        };
        if !enough {
            return refuse(&topic, name, is, wanted, "set it so (kafka-configs --alter)");
        }
    }
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

/// The settings of the topic and of one broker, in this order.
async fn describe(
    admin: &AdminClient<Context>,
    options: &KafkaOptions,
    broker: i32,
) -> Result<Vec<ConfigResource>, KafkaError> {
    // One by one: librdkafka sends questions about a broker to that broker.
    let topic = described(admin, options, ResourceSpecifier::Topic(&options.topic)).await?;
    let broker = described(admin, options, ResourceSpecifier::Broker(broker)).await?;
    Ok(topic.into_iter().chain(broker).collect())
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
