//! Public topics for tests, and events for them.

use std::time::Instant;

use event_log::{Publisher, PublisherOptions};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use schemas::cloudevent::{CloudEvent, cloud_events};
use schemas::commit::Commit;
use serde_json::json;

use super::topic::{PATIENCE, Topic};

/// Public topics of their own, beside a topic for a log that is not used.
pub(crate) struct Public {
    pub(crate) work: Topic,
    pub(crate) fleet: Topic,
    pub(crate) options: PublisherOptions,
}

impl Public {
    /// On the brokers of a topic whose name is theirs.
    pub(crate) fn beside(log: &Topic, partitions: u16) -> Self {
        let named = |context: &str| {
            let mut topic = Topic::at(log.brokers.clone());
            topic.name = format!("{}.{context}.events", log.name);
            topic
        };
        let options =
            PublisherOptions { prefix: log.name.clone(), partitions, ..PublisherOptions::new(log.options()) };
        Self { work: named("work"), fleet: named("fleet"), options }
    }

    pub(crate) async fn open(&self) -> Publisher {
        Publisher::open(self.options.clone()).await.unwrap()
    }

    /// Every record of the topic of the context `work`, once there are `count`.
    pub(crate) fn records(&self, count: usize) -> Vec<OwnedMessage> {
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
pub(crate) fn event(key: &str) -> CloudEvent {
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
