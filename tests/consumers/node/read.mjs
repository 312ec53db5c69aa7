// Gives each record that kcat prints (`kcat -J`, on standard input) to the CloudEvents SDK; prints one JSON object a record.
import { createInterface } from "node:readline";
import { Kafka } from "cloudevents";

for await (const line of createInterface({ input: process.stdin })) {
  const record = JSON.parse(line);
  // kcat prints headers as one list of names and values in turn.
  const headers = {};
  for (let at = 0; at < record.headers.length; at += 2) headers[record.headers[at]] = record.headers[at + 1];
  const event = Kafka.toEvent({ key: record.key, value: record.payload, headers });
  const { data, ...attributes } = event.toJSON();
  const place = { topic: record.topic, partition: record.partition, offset: record.offset };
  console.log(JSON.stringify({ ...place, key: record.key, attributes, data }));
}
