"""Reads whole topics with kafka-python and gives each record to the CloudEvents SDK; prints one JSON object a record.

python3 read.py BROKERS TOPIC...
"""

import datetime
import json
import sys

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from kafka import KafkaConsumer, TopicPartition

PATIENCE_MS = 30_000


def text(value):
    """Instants as the attributes of CloudEvents have them."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def records(brokers, topics):
    consumer = KafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest")
    places = [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(places)
    while any(consumer.position(place) < end for place, end in ends.items()):
        batches = consumer.poll(timeout_ms=PATIENCE_MS)
        if not batches:
            sys.exit("the brokers gave nothing more before the end")
        for batch in batches.values():
            yield from batch
    consumer.close()


for record in records(sys.argv[1], sys.argv[2:]):
    event = from_binary_event(KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value))
    print(
        json.dumps(
            {
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "key": record.key.decode(),
                "attributes": {name: text(value) for name, value in event.get_attributes().items()},
                "data": event.get_data(),
            }
        )
    )
