//! JSON Schemas (2020-12) of commands and events, made from the types.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::contract::{Address, CommandType, EventType};

/// Prefix of every schema's `$id`; the rest is its path below `schemas/json`.
pub const SCHEMA_BASE: &str = "https://gesta.dev/schemas/";
/// The dialect of every schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a command's body. A command on an existing aggregate also takes `expectedVersion`,
/// which the edge reads.
#[must_use]
pub fn command_schema(command: &CommandType) -> Value {
    let mut schema = plain(command.schema);
    if matches!(command.address, Address::Act(_)) {
        schema["properties"]["expectedVersion"] = json!({
            "type": "integer",
            "minimum": 1,
            "description": "Version that the aggregate must have; another one is refused with 409. Not beside If-Match.",
        });
    }
    named(schema, command.name, &command_path(command))
}

/// The schema of an event's payload at its current revision.
#[must_use]
pub fn event_schema(event: &EventType) -> Value {
    named(plain(event.schema), event.name, &event_path(event.name))
}

/// Path of a command's schema below `schemas/json`.
#[must_use]
pub fn command_path(command: &CommandType) -> String {
    format!("commands/{}.json", command.name)
}

/// Path of an event's schema below `schemas/json`.
#[must_use]
pub fn event_path(event_type: &str) -> String {
    format!("events/{event_type}.json")
}

/// The schema that `of` generates, with everything in place instead of references.
pub(crate) fn plain(of: fn(&mut SchemaGenerator) -> Schema) -> Value {
    let mut generator =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = of(&mut generator);
    RecursiveTransform(bound_integers).transform(&mut schema);
    let mut schema = schema.to_value();
    if schema["type"] == "object" && schema.get("properties").is_none() {
        schema["properties"] = json!({});
    }
    schema
}

/// The formats of integers are words of schemars that no validator knows: say them as bounds.
fn bound_integers(schema: &mut Schema) {
    let largest = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => json!(u8::MAX),
        Some("uint16") => json!(u16::MAX),
        Some("uint32") => json!(u32::MAX),
        // Readers in JavaScript hold no larger integer exactly.
        Some("uint64") => json!((1_u64 << 53) - 1),
        _ => return,
    };
    schema.remove("format");
    if schema.get("maximum").is_none() {
        schema.insert("maximum".into(), largest);
    }
}

fn named(mut schema: Value, title: &str, path: &str) -> Value {
    schema["$schema"] = json!(DIALECT);
    schema["$id"] = json!(format!("{SCHEMA_BASE}{path}"));
    schema["title"] = json!(title);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{command_types, event_types};

    /// Every object below `schema` that lists properties, with the place of each property.
    fn undescribed(schema: &Value, place: &str, found: &mut Vec<String>) {
        match schema {
            Value::Object(map) => {
                if let Some(properties) = map.get("properties").and_then(Value::as_object) {
                    for (name, property) in properties {
                        let text = property["description"].as_str().unwrap_or_default();
                        if text.trim().is_empty() {
                            found.push(format!("{place}.{name}"));
                        }
                    }
                }
                for (key, value) in map {
                    undescribed(value, &format!("{place}/{key}"), found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| undescribed(item, place, found)),
            _ => {}
        }
    }

    #[test]
    fn every_field_of_commands_and_events_is_described() {
        let mut found = Vec::new();
        for command in command_types() {
            let schema = command_schema(command);
            assert!(schema["description"].is_string(), "{} has no description", command.name);
            undescribed(&schema, command.name, &mut found);
        }
        for event in event_types() {
            let schema = event_schema(event);
            assert!(schema["description"].is_string(), "{} has no description", event.name);
            undescribed(&schema, event.name, &mut found);
        }
        assert!(found.is_empty(), "no description: {found:#?}");
        undescribed(&json!({"properties": {"a": {"type": "string"}}}), "x", &mut found);
        assert_eq!(found, ["x.a"], "the search finds what is missing");
    }

    #[test]
    fn names_of_fields_have_the_case_of_their_place() {
        let names = |schema: &Value| -> Vec<String> {
            schema["properties"].as_object().into_iter().flat_map(|map| map.keys().cloned()).collect()
        };
        for command in command_types() {
            for name in names(&command_schema(command)) {
                assert!(
                    name.bytes().all(|b| b.is_ascii_alphanumeric()),
                    "{}.{name} is not camelCase",
                    command.name
                );
            }
        }
        for event in event_types() {
            for name in names(&event_schema(event)) {
                let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                assert!(name.bytes().all(fits), "{}.{name} is not snake_case", event.name);
            }
        }
    }

    #[test]
    fn bodies_are_closed_and_integers_are_bounded() {
        for command in command_types() {
            let schema = command_schema(command);
            assert_eq!(schema["additionalProperties"], false, "{} takes unknown fields", command.name);
            assert!(!schema.to_string().contains("\"uint"), "{} has an unbounded integer", command.name);
        }
    }
}
