//! The one producer of a process, idempotent, with one batch in flight per shard (log.md §3, §4).

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, PurgeConfig, ThreadedProducer};
use tokio::sync::Mutex;

use super::batch::Batch;
use super::client::Context;
use super::message::FENCE;
use super::options::{KafkaError, KafkaOptions};
use crate::record::Record;

/// How long librdkafka tries to deliver a record, unless the settings say otherwise.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// What it has to be longer than, beside the brokers' session timeout.
pub(super) const MESSAGE_TIMEOUT_MARGIN: Duration = Duration::from_secs(5);
/// A report that is later than the timeout by this much never comes: the producer is made anew.
const REPORT_GRACE: Duration = Duration::from_secs(30);
/// How long records wait in librdkafka for others: not at all, because batches are made before it, and because a wait
/// of its own takes whole milliseconds (`rd_timeout_remains` in its rdtime.h) where nothing else wakes it.
const LINGER_MS: &str = "0";
/// Most bytes that wait in librdkafka; above what the log lets in, so that its own limit comes first.
const QUEUE_KILOBYTES: &str = "131072";
/// Most records that wait there.
const QUEUE_RECORDS: &str = "1000000";
/// How often a record is offered again to a full queue.
const QUEUE_FULL_RETRY: Duration = Duration::from_millis(1);
/// How long the end of a dead producer may take.
const FLUSH: Duration = Duration::from_secs(10);

/// A producer, until an error kills it.
pub(super) struct Producer {
    client: Option<ThreadedProducer<Context>>,
    topic: String,
    /// Whose turn it is, per shard.
    turns: Vec<Arc<Mutex<()>>>,
    /// How long an answer may take.
    pub(super) longest: Duration,
}

impl Producer {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self, KafkaError> {
        let (config, timeout) = config(options)?;
        let client: ThreadedProducer<Context> = config
            .create_with_context(Context::default())
            .map_err(|error| KafkaError::unreachable(options, "making the producer", error))?;
        let turns = (0..options.shards).map(|_| Arc::default()).collect();
        let longest = timeout + REPORT_GRACE;
        Ok(Self { client: Some(client), topic: options.topic.clone(), turns, longest })
    }

    /// Whether this producer must not be used any more.
    pub(super) fn is_dead(&self) -> bool {
        self.client.as_ref().is_none_or(|client| client.client().context().is_dead())
    }

    /// Ends the use of this producer: it owes a report for too long.
    pub(super) fn kill(&self) {
        if let Some(client) = &self.client {
            client.client().context().kill();
        }
    }

    /// Waits for the turn of `shard`: batches of one shard go one after the other, in the order of their calls.
    pub(super) async fn turn(&self, shard: u16) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.turns[usize::from(shard)]).lock_owned().await
    }

    /// Hands a batch to librdkafka, whole and in order.
    pub(super) async fn send(
        &self,
        shard: u16,
        batch: &Arc<Batch>,
        records: &[Record],
    ) -> Result<(), ClientError> {
        let Some(client) = &self.client else { return Err(ClientError::Canceled) };
        for (index, record) in records.iter().enumerate() {
            let fence = record.fence.encode();
            let headers =
                OwnedHeaders::new_with_capacity(1).insert(Header { key: FENCE, value: Some(&fence) });
            let delivery = batch.delivery(index, record.size());
            let mut message = BaseRecord::with_opaque_to(&self.topic, delivery)
                .partition(i32::from(shard))
                .key(record.key.as_str())
                .payload(&record.value[..])
                .headers(headers);
            while let Err((error, refused)) = client.send(message) {
                match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::QueueFull) => {}
                    code => {
                        // The client may tell so here before it tells of the error itself.
                        if code == Some(RDKafkaErrorCode::Fatal) {
                            self.kill();
                        }
                        return Err(error);
                    }
                }
                // The same record again, so that the order stays.
                message = refused;
                tokio::time::sleep(QUEUE_FULL_RETRY).await;
            }
        }
        Ok(())
    }
}

impl Drop for Producer {
    /// Its last reports are waited for on a thread of their own, because a drop may come anywhere.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let end = move || {
            client.purge(PurgeConfig::default().queue().inflight());
            if let Err(error) = client.flush(FLUSH) {
                tracing::warn!(%error, "a producer of the log ended without all its reports");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("gesta-log-end".into()).spawn(end) {
            tracing::warn!(%error, "no thread for the end of a producer");
        }
    }
}

/// The client's settings, and how long it tries to deliver a record.
fn config(options: &KafkaOptions) -> Result<(ClientConfig, Duration), KafkaError> {
    let mut config = options.client()?;
    let timeout = message_timeout(options)?;
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", timeout.as_millis().to_string());
    let defaults = [
        ("linger.ms", LINGER_MS),
        ("queue.buffering.max.kbytes", QUEUE_KILOBYTES),
        ("queue.buffering.max.messages", QUEUE_RECORDS),
        ("socket.nagle.disable", "true"),
    ];
    options.prefer(&mut config, &defaults);
    Ok((config, timeout))
}

/// `message.timeout.ms`, of the settings or the default.
pub(super) fn message_timeout(options: &KafkaOptions) -> Result<Duration, KafkaError> {
    let Some(value) = options.settings.get("message.timeout.ms") else { return Ok(MESSAGE_TIMEOUT) };
    let milliseconds = value.parse::<u64>().ok().filter(|ms| *ms > 0);
    milliseconds.map(Duration::from_millis).ok_or_else(|| KafkaError::Option {
        field: "message.timeout.ms".to_owned(),
        value: value.clone(),
        problem: "a number of milliseconds above 0 is; without end, no outcome would ever be known"
            .to_owned(),
    })
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("topic", &self.topic).field("dead", &self.is_dead()).finish()
    }
}
