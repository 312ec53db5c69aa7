//! The AsyncAPI 3.0 document of the public topics, made from the registry and the types: one channel per
//! bounded context, one message per event type, its attributes as headers.

use serde_json::{Map, Value, json};

use crate::cloudevent::{
    CONTENT_TYPE, CONTENT_TYPE_HEADER, CloudEvent, HEADER_PREFIX, TOPIC_PARTITIONS, TOPIC_PREFIX, source,
    topic,
};
use crate::contract::{EventType, schema_of};
use crate::json_schema::{SCHEMA_BASE, event_path, event_schema, plain};
use crate::registry::{contexts, event_types};

/// Version of the Kafka bindings.
const BINDING: &str = "0.5.0";
/// Introduction of the document.
const DESCRIPTION: &str = "Every event, once it counts in the log, on one topic of Kafka per bounded context. A record is one event as a CloudEvent 1.0 \
in binary mode: attributes are headers, the value is the payload as JSON. Its key is the stream, `tenant/type/id`, and all records of a key \
stand in one partition, in the order of `ce_aggregateversion`. Delivery is at least once: a record may come again, always with the \
same `ce_id`. Fields marked `x-personal` hold `[withheld]` unless the operator publishes them.";

/// The whole document, as `GET /asyncapi.json` serves it.
#[must_use]
pub fn document() -> Value {
    let channels: Map<String, Value> =
        contexts().into_iter().map(|context| (context.to_owned(), channel(context))).collect();
    let operations: Map<String, Value> =
        contexts().into_iter().map(|context| (format!("publish.{context}"), operation(context))).collect();
    let messages: Map<String, Value> =
        event_types().map(|event| (event.name.to_owned(), message(event))).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gesta public topics",
            "version": "1",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": { "kafka": {
            "host": "127.0.0.1:9092",
            "protocol": "kafka",
            "description": "The brokers that the operator configured.",
        } },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "messageTraits": { "cloudEvent": {
                "contentType": CONTENT_TYPE,
                "headers": headers(),
                "bindings": { "kafka": {
                    "key": { "type": "string", "description": "Stream, `tenant/type/id`, as in `ce_partitionkey`." },
                    "bindingVersion": BINDING,
                } },
            } },
        },
    })
}

fn reference(pointer: &str) -> Value {
    json!({ "$ref": format!("#/{pointer}") })
}

fn channel(context: &str) -> Value {
    let messages: Map<String, Value> = event_types()
        .filter(|event| event.context == context)
        .map(|event| (event.name.to_owned(), reference(&format!("components/messages/{}", event.name))))
        .collect();
    json!({
        "address": topic(TOPIC_PREFIX, context),
        "description": format!("Events of the context {context}."),
        "servers": [reference("servers/kafka")],
        "messages": messages,
        "bindings": { "kafka": {
            "topic": topic(TOPIC_PREFIX, context),
            "partitions": TOPIC_PARTITIONS,
            "topicConfiguration": { "cleanup.policy": ["delete"] },
            "bindingVersion": BINDING,
        } },
    })
}

fn operation(context: &str) -> Value {
    json!({
        "action": "send",
        "summary": format!("Gesta publishes the events of the context {context}."),
        "channel": reference(&format!("channels/{context}")),
    })
}

/// The attributes of every event as headers, whose values are text.
fn headers() -> Value {
    let schema = plain(schema_of::<CloudEvent>);
    let name = |attribute: &str| match attribute {
        "datacontenttype" => CONTENT_TYPE_HEADER.to_owned(),
        attribute => format!("{HEADER_PREFIX}{attribute}"),
    };
    let attributes = schema["properties"].as_object().expect("the attributes are the fields of a struct");
    let properties: Map<String, Value> = attributes
        .iter()
        .map(|(attribute, of)| {
            let mut header = json!({ "type": "string", "description": of["description"] });
            if let Some(format) = of["format"].as_str() {
                header["format"] = format.into();
            }
            (name(attribute), header)
        })
        .collect();
    let required: Vec<String> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn message(event: &EventType) -> Value {
    let mut payload = event_schema(event);
    if let Some(map) = payload.as_object_mut() {
        map.remove("$schema");
        map.remove("$id");
    }
    let schema = format!("{SCHEMA_BASE}{}", event_path(event.name));
    json!({
        "name": event.name,
        "title": event.name,
        "summary": payload["description"],
        "contentType": CONTENT_TYPE,
        "headers": { "type": "object", "properties": {
            "ce_type": { "type": "string", "const": event.name },
            "ce_source": { "type": "string", "const": source(event.name, event.aggregate) },
            "ce_dataschema": { "type": "string", "const": schema },
        } },
        "payload": payload,
        "traits": [reference("components/messageTraits/cloudEvent")],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::openapi::references;

    /// BUS-111: every event stands on the channel of its context, and nowhere else.
    #[test]
    fn every_event_is_on_one_channel() {
        let document = document();
        let mut seen = BTreeSet::new();
        for (context, channel) in document["channels"].as_object().unwrap() {
            assert_eq!(channel["address"], format!("gesta.{context}.events"));
            for name in channel["messages"].as_object().unwrap().keys() {
                assert!(
                    name.starts_with(&format!("gesta.{context}.")) && seen.insert(name.clone()),
                    "{name}"
                );
            }
        }
        assert_eq!(seen, event_types().map(|event| event.name.to_owned()).collect());
    }

    #[test]
    fn every_reference_resolves() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is not local"));
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn the_headers_are_those_that_are_written() {
        let headers = headers();
        let properties = headers["properties"].as_object().unwrap();
        assert!(properties.values().all(|header| header["description"].is_string()), "{headers:#}");
        assert!(properties.contains_key("ce_aggregateversion") && properties.contains_key("content-type"));
        assert!(!properties.contains_key("ce_data") && !properties.contains_key("ce_sequence"));
        let required = headers["required"].as_array().unwrap();
        assert_eq!(required.len() + 1, properties.len(), "only the trace may be absent: {required:?}");
    }
}
