//! Reading what is older than the tail, by a consumer that stands at one place of one shard.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::client::{Consumer, Context};
use super::message::stored;
use super::options::{KafkaError, KafkaOptions};
use crate::stored::Stored;

/// How long a broker may wait for more before it answers a scan, which reads what is there.
const FETCH_WAIT_MS: &str = "10";
/// Most kilobytes that one consumer fetches ahead.
const AHEAD_KILOBYTES: &str = "8192";
/// After a full queue the consumer fetches again this soon; the default of a second would idle it.
const REFETCH_MS: &str = "10";

/// The settings of every consumer of the log.
pub(super) fn consumer_config(options: &KafkaOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = options.client()?;
    config
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        // Records of somebody else's transaction are foreign records like others: they must not hide the rest.
        .set("isolation.level", "read_uncommitted");
    let defaults = [
        // Never joined: partitions are assigned by hand.
        ("group.id", "gesta-log"),
        ("fetch.queue.backoff.ms", REFETCH_MS),
        ("fetch.error.backoff.ms", "100"),
        ("queued.max.messages.kbytes", AHEAD_KILOBYTES),
    ];
    options.prefer(&mut config, &defaults);
    Ok(config)
}

/// The settings of one that reads what is there already.
pub(super) fn scan_config(options: &KafkaOptions) -> Result<ClientConfig, KafkaError> {
    let mut config = consumer_config(options)?;
    options.prefer(&mut config, &[("fetch.wait.max.ms", FETCH_WAIT_MS)]);
    Ok(config)
}

/// Makes consumers. Each is assigned once in its life: two changes of an assignment in a row can end
/// librdkafka, and the process with it, by an assertion (confluentinc/librdkafka issue 5573).
#[derive(Debug)]
pub(super) struct Scans {
    config: ClientConfig,
    topic: String,
}

/// One consumer at one place.
pub(crate) struct Scan {
    consumer: Option<Consumer>,
    shard: u16,
    /// Offset of the next record.
    next: u64,
    /// Whether the brokers said last that the shard ends here.
    ended: bool,
}

impl Scans {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self, KafkaError> {
        Ok(Self { config: scan_config(options)?, topic: options.topic.clone() })
    }

    /// Starts to read `shard` at `from`; blocks.
    pub(super) fn start(&self, shard: u16, from: u64) -> KafkaResult<Scan> {
        let consumer: Consumer = self.config.create_with_context(Context::default())?;
        let mut places = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        places.add_partition_offset(&self.topic, i32::from(shard), offset)?;
        consumer.assign(&places)?;
        Ok(Scan { consumer: Some(consumer), shard, next: from, ended: false })
    }
}

impl Scan {
    /// Whether this scan goes on at `from` of `shard`.
    pub(super) fn stands_at(&self, shard: u16, from: u64) -> bool {
        (self.shard, self.next) == (shard, from)
    }

    /// Whether the brokers said, when it was last asked for records, that the shard ends here.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether the brokers say within `patience` that the shard ends here, and no record came before that.
    pub(super) fn is_at_end(&mut self, patience: Duration) -> bool {
        let polled = self.consumer.as_ref().and_then(|consumer| consumer.poll(patience));
        matches!(polled, Some(Err(ClientError::PartitionEOF(_))))
    }

    /// The next records: what comes within `patience`, at most `max`, not much more than `max_bytes`.
    pub(super) fn fetch(
        &mut self,
        max: usize,
        max_bytes: usize,
        patience: Duration,
    ) -> KafkaResult<Vec<Arc<Stored>>> {
        let Some(consumer) = &self.consumer else { return Err(ClientError::Canceled) };
        let (mut records, mut bytes) = (Vec::new(), 0);
        self.ended = false;
        while records.len() < max && bytes < max_bytes {
            let wait = if records.is_empty() { patience } else { Duration::ZERO };
            match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let Some(record) = stored(&message) else { continue };
                    self.next = record.offset + 1;
                    bytes += record.value.len();
                    records.push(Arc::new(record));
                }
                Some(Err(ClientError::PartitionEOF(_))) => {
                    self.ended = true;
                    break;
                }
                Some(Err(_)) if !records.is_empty() => break,
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(records)
    }
}

impl Drop for Scan {
    /// Closing a consumer waits for its threads, and a drop may come anywhere.
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        let thread = std::thread::Builder::new().name("gesta-log-end".into()).spawn(move || drop(consumer));
        if let Err(error) = thread {
            tracing::warn!(%error, "no thread for the end of a consumer");
        }
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("shard", &self.shard).field("next", &self.next).finish_non_exhaustive()
    }
}
