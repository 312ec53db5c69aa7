//! The public topics: events for everyone else, at least once, in the order of their keys (log.md §9).

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use schemas::cloudevent::{self, CloudEvent};
use schemas::registry::contexts;
use tokio::sync::mpsc;

use super::client::Context;
use super::options::{KafkaError, KafkaOptions};
use super::origin;
use super::settings::{self, Cluster};
use crate::handle::{Log, blocking};

/// How long records wait in librdkafka for others of their partition.
const LINGER_MS: &str = "1";
/// How often a record is offered again to a full queue.
const QUEUE_FULL_RETRY: Duration = Duration::from_millis(1);
/// How long a topic that was just created may take to show up.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// Time between two looks for it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long the end of a dead producer may take.
const FLUSH: Duration = Duration::from_secs(10);

/// How the public topics are reached and named.
#[derive(Debug, Clone)]
pub struct PublisherOptions {
    /// The brokers, and the settings to reach them; everything else in it is the log's.
    pub kafka: KafkaOptions,
    /// What the names of the topics begin with.
    pub prefix: String,
    /// Partitions of each topic. It never changes: with another number keys stand in other partitions.
    pub partitions: u16,
}

impl PublisherOptions {
    /// Options with the default names and number of partitions.
    #[must_use]
    pub fn new(kafka: KafkaOptions) -> Self {
        let prefix = cloudevent::TOPIC_PREFIX.to_owned();
        Self { kafka, prefix, partitions: cloudevent::TOPIC_PARTITIONS }
    }

    /// The options of the topic of one context.
    fn topics(&self) -> Vec<KafkaOptions> {
        let topic = |context| cloudevent::topic(&self.prefix, context);
        contexts()
            .into_iter()
            .map(|context| KafkaOptions { topic: topic(context), ..self.kafka.clone() })
            .collect()
    }
}

/// Why events were not published. What was handed over may stand in the topics or not: publish it again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the public topics did not take the events: {problem}")]
pub struct PublishError {
    problem: String,
}

/// The writer of the public topics. After an error it is dead: open another one.
pub struct Publisher {
    client: Option<ThreadedProducer<Reporting>>,
    prefix: String,
}

impl Publisher {
    /// Compares the topics with what they must be, and what stands in them with `log`; tells which are not there.
    /// Whoever creates those owes them every event from the beginning.
    ///
    /// # Errors
    /// [`KafkaError`], which names the setting that differs or the record of another log, says what to do, and
    /// whether [trying again](KafkaError::is_outage) may help.
    pub async fn check(options: PublisherOptions, log: &Log) -> Result<Vec<String>, KafkaError> {
        let mut missing = Vec::new();
        for topic in options.topics() {
            let (partitions, asked) = (options.partitions, topic.clone());
            let there = blocking(move || {
                let admin = admin(&asked)?;
                let cluster = settings::cluster(admin.inner(), &asked)?;
                if cluster.partitions.is_none() {
                    return Ok(false);
                }
                let compared = compare(&admin, &cluster, &asked, partitions);
                tokio::runtime::Handle::current().block_on(compared).map(|()| true)
            });
            if there.await? {
                origin::check(&topic, usize::from(options.partitions), log).await?;
            } else {
                missing.push(topic.topic);
            }
        }
        Ok(missing)
    }

    /// Creates the topics that are missing and compares the others with what they must be.
    ///
    /// # Errors
    /// [`KafkaError`], which names the setting that differs and says what to do.
    pub async fn open(options: PublisherOptions) -> Result<Self, KafkaError> {
        blocking(move || {
            let admin = admin(&options.kafka)?;
            let runtime = tokio::runtime::Handle::current();
            for topic in options.topics() {
                runtime.block_on(prepare(&admin, &topic, options.partitions))?;
            }
            let client = config(&options.kafka)?
                .create_with_context(Reporting(Context::default()))
                .map_err(|error| KafkaError::unreachable(&options.kafka, "making the producer", error))?;
            Ok(Self { client: Some(client), prefix: options.prefix })
        })
        .await
    }

    /// Writes events, in order per key, and returns once the brokers confirmed all of them; while the brokers
    /// are away it waits.
    ///
    /// # Errors
    /// [`PublishError`]; this publisher is dead then.
    pub async fn publish(&self, events: &[CloudEvent]) -> Result<(), PublishError> {
        let failed = |error: ClientError| {
            self.kill();
            PublishError { problem: error.to_string() }
        };
        let (report, mut reports) = mpsc::unbounded_channel();
        let report = Arc::new(report);
        for event in events {
            self.send(event, &report).await.map_err(failed)?;
        }
        drop(report);
        for _ in events {
            // Every report of a dead client comes too; else the channel would say so by its end.
            reports.recv().await.unwrap_or(Err(ClientError::Canceled)).map_err(failed)?;
        }
        Ok(())
    }

    async fn send(&self, event: &CloudEvent, report: &Arc<Report>) -> Result<(), ClientError> {
        let Some(client) = self.client.as_ref().filter(|client| !client.context().0.is_dead()) else {
            return Err(ClientError::Canceled);
        };
        let attributes = event.headers();
        let mut headers = OwnedHeaders::new_with_capacity(attributes.len());
        for (key, value) in &attributes {
            headers = headers.insert(Header { key, value: Some(value.as_ref()) });
        }
        let topic = cloudevent::topic(&self.prefix, cloudevent::context(&event.kind));
        let mut message = BaseRecord::with_opaque_to(&topic, Arc::clone(report))
            .key(event.partitionkey.as_str())
            .payload(event.data.get())
            .headers(headers);
        while let Err((error, refused)) = client.send(message) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            // The same record again, so that the order stays.
            message = refused;
            tokio::time::sleep(QUEUE_FULL_RETRY).await;
        }
        Ok(())
    }

    /// Gives up what is under way: nothing more leaves this process through this publisher, and everyone
    /// who waits for it gets an error.
    pub fn kill(&self) {
        if let Some(client) = &self.client {
            client.context().0.kill();
            client.purge(PurgeConfig::default().queue().inflight());
        }
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Drop for Publisher {
    /// Its last reports are waited for on a thread of their own, because a drop may come anywhere.
    fn drop(&mut self) {
        self.kill();
        let Some(client) = self.client.take() else { return };
        let end = move || client.flush(FLUSH);
        if let Err(error) = std::thread::Builder::new().name("gesta-publish-end".into()).spawn(end) {
            tracing::warn!(%error, "no thread for the end of a publisher");
        }
    }
}

type Report = mpsc::UnboundedSender<Result<(), ClientError>>;

/// The context of the producer: as that of every client, with the reports of its records.
struct Reporting(Context);

impl ClientContext for Reporting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Reporting {
    type DeliveryOpaque = Arc<Report>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        let outcome = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        // Who asked may have gone; then the events are published again from the cursor.
        let _ = report.send(outcome);
    }
}

fn admin(options: &KafkaOptions) -> Result<AdminClient<Context>, KafkaError> {
    let made = |error| KafkaError::unreachable(options, "making a client", error);
    options.client()?.create_with_context(Context::default()).map_err(made)
}

/// Creates the topic if there is none, and compares it.
async fn prepare(
    admin: &AdminClient<Context>,
    options: &KafkaOptions,
    partitions: u16,
) -> Result<(), KafkaError> {
    let mut cluster = settings::cluster(admin.inner(), options)?;
    if cluster.partitions.is_none() {
        let wanted = settings::of_any_topic(cluster.brokers);
        // Kept for ever unless somebody decides otherwise, which nothing here compares.
        let retention = [("retention.ms", "-1".to_owned()), ("retention.bytes", "-1".to_owned())];
        let all = wanted.into_iter().chain(retention).collect();
        settings::create(admin, &cluster, options, i32::from(partitions), &all).await?;
        cluster = shown(admin, options).await?;
    }
    compare(admin, &cluster, options, partitions).await
}

/// Compares a topic that is there.
async fn compare(
    admin: &AdminClient<Context>,
    cluster: &Cluster,
    options: &KafkaOptions,
    partitions: u16,
) -> Result<(), KafkaError> {
    let found = cluster.partitions.as_ref().map_or(0, Vec::len);
    if found != usize::from(partitions) {
        return Err(KafkaError::Setting {
            holder: format!("topic {}", options.topic),
            setting: "partitions".to_owned(),
            found: found.to_string(),
            wanted: partitions.to_string(),
            advice: "configure the number that the topic has (publisher.partitions); adding some moves keys",
        });
    }
    settings::check_topic(admin, cluster, options, &settings::of_any_topic(cluster.brokers)).await
}

/// The topic, once the answers have it: a new one shows up little by little.
async fn shown(admin: &AdminClient<Context>, options: &KafkaOptions) -> Result<Cluster, KafkaError> {
    let started = std::time::Instant::now();
    loop {
        let cluster = settings::cluster(admin.inner(), options)?;
        if cluster.partitions.is_some() || started.elapsed() >= SHOWN_WITHIN {
            return Ok(cluster);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn config(options: &KafkaOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = options.client()?;
    if !options.settings.contains_key("linger.ms") {
        config.set("linger.ms", LINGER_MS);
    }
    config
        .set("enable.idempotence", "true")
        .set("enable.gapless.guarantee", "true")
        .set("acks", "all")
        // The partitions in which the clients of Java would put the keys.
        .set("partitioner", "murmur2_random")
        // However long the brokers are away: the cursor waits with the records.
        .set("message.timeout.ms", "0");
    Ok(config)
}
