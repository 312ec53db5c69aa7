//! Whether a public topic was published from this log: two deployments that share a prefix would mix their events.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use schemas::cloudevent::cloud_event;
use schemas::position::Position;

use super::client::Context;
use super::options::{KafkaError, KafkaOptions};
use super::remote::ASK;
use super::scan::scan_config;
use crate::handle::{Log, blocking};

/// How long records that must be there may take to be read.
const READ: Duration = Duration::from_secs(30);
/// What an event is known by, and what differs where two logs hold one of the same id at the same place.
const NAMES: [&str; 2] = ["ce_id", "ce_recordedtime"];

/// What the last record of a partition says of itself.
struct Last {
    partition: i32,
    offset: i64,
    position: Position,
    named: [Option<String>; 2],
}

/// Compares the last record of every partition of the topic with the event that `log` has at its position.
pub(super) async fn check(options: &KafkaOptions, partitions: usize, log: &Log) -> Result<(), KafkaError> {
    let asked = options.clone();
    let genesis = log.genesis();
    for last in blocking(move || last_records(&asked, partitions)).await? {
        // What was published from another generation cannot be told from here.
        if last.position.generation == genesis.generation && !stands(log, &last).await? {
            return Err(KafkaError::OtherLog {
                topic: options.topic.clone(),
                partition: last.partition,
                offset: last.offset,
                log: genesis.log_id,
            });
        }
    }
    Ok(())
}

/// Whether `log` has the event of the record, at its position.
async fn stands(log: &Log, last: &Last) -> Result<bool, KafkaError> {
    let Position { shard, offset, index, .. } = last.position;
    let commit = log.commit_at(shard, offset).await?;
    let event = commit.as_ref().and_then(|commit| Some((commit, commit.events.get(usize::from(index))?)));
    let Some((commit, event)) = event else { return Ok(false) };
    let event = cloud_event(commit, event, &last.position);
    let headers = event.headers();
    let own = |name| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_string());
    Ok(NAMES.map(own) == last.named)
}

/// The last records of the partitions that have any, as far as a publisher wrote them; blocks.
fn last_records(options: &KafkaOptions, partitions: usize) -> Result<Vec<Last>, KafkaError> {
    let failed = |error| KafkaError::unreachable(options, "reading what was published last", error);
    let consumer: BaseConsumer<Context> =
        scan_config(options)?.create_with_context(Context::default()).map_err(failed)?;
    let mut places = TopicPartitionList::new();
    for partition in (0..partitions).filter_map(|partition| i32::try_from(partition).ok()) {
        let (first, end) = consumer.fetch_watermarks(&options.topic, partition, ASK).map_err(failed)?;
        if first < end {
            places
                .add_partition_offset(&options.topic, partition, Offset::Offset(end - 1))
                .map_err(failed)?;
        }
    }
    let mut left = places.count();
    consumer.assign(&places).map_err(failed)?;
    let (mut found, started) = (Vec::new(), Instant::now());
    while left > 0 {
        match consumer.poll(ASK) {
            Some(Ok(message)) => found.push(last(&message)),
            // Behind the record, or behind an offset without one.
            Some(Err(ClientError::PartitionEOF(_))) => left -= 1,
            Some(Err(error)) => return Err(failed(error)),
            None if started.elapsed() < READ => {}
            None => return Err(failed(ClientError::NoMessageReceived)),
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// None of a record that no publisher wrote.
fn last(message: &BorrowedMessage<'_>) -> Option<Last> {
    let (partition, offset) = (message.partition(), message.offset());
    let header = |name: &str| {
        let header = message.headers()?.iter().find(|header| header.key == name)?;
        Some(String::from_utf8_lossy(header.value?).into_owned())
    };
    let Some(position) = header("ce_position").and_then(|position| position.parse().ok()) else {
        tracing::warn!(topic = message.topic(), partition, offset, "no publisher wrote this record");
        return None;
    };
    Some(Last { partition, offset, position, named: NAMES.map(header) })
}
