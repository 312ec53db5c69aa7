//! The OpenAPI 3.1 document of the command API, made from the registry and the types.

mod operations;
mod parts;

use serde_json::{Map, Value, json};

use crate::answer::{ClaimAnswer, CommandAnswer, Problem};
use crate::contract::{Address, schema_of};
use crate::json_schema::{command_schema, plain};
use crate::registry::command_types;

const EXAMPLES: &str = include_str!("openapi/examples.json");

/// The whole document, as `GET /openapi.json` serves it.
#[must_use]
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gesta command API",
            "version": "1",
            "description": parts::DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:7070", "description": "`gesta dev`" }],
        "security": [],
        "tags": tags(),
        "paths": operations::paths(),
        "components": {
            "schemas": schemas(),
            "parameters": parts::parameters(),
            "headers": parts::headers(),
            "responses": parts::responses(),
        },
    })
}

/// A body that fits the command, for documentation and tests; `None` for a command of the shard's own.
#[must_use]
pub fn example(command: &str) -> Option<Value> {
    let mut examples: Map<String, Value> = serde_json::from_str(EXAMPLES).expect("a test reads the file");
    examples.remove(command)
}

/// `task.create` → `TaskCreate`: the name of the body among the components.
fn component(command: &str) -> String {
    let words = command.split(['.', '_', '-']);
    words
        .flat_map(|word| {
            word.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c })
        })
        .collect()
}

fn tags() -> Value {
    let mut names: Vec<&str> = command_types().map(|command| command.collection).collect();
    names.dedup();
    let mut tags: Vec<Value> = names
        .iter()
        .map(|name| json!({ "name": name, "description": format!("Commands on {name}.") }))
        .collect();
    tags.push(json!({ "name": "batch", "description": "Many commands in one request." }));
    tags.push(json!({ "name": "documents", "description": "This document, and that of the public topics." }));
    Value::Array(tags)
}

fn schemas() -> Value {
    let mut schemas = Map::new();
    for command in command_types().filter(|command| command.address != Address::Internal) {
        let mut schema = command_schema(command);
        if let Some(map) = schema.as_object_mut() {
            map.remove("$schema");
            map.remove("$id");
        }
        schema["examples"] = json!([example(command.name)]);
        schemas.insert(component(command.name), schema);
    }
    schemas.insert("CommandAnswer".into(), plain(schema_of::<CommandAnswer>));
    schemas.insert("ClaimAnswer".into(), plain(schema_of::<ClaimAnswer>));
    schemas.insert("Problem".into(), plain(schema_of::<Problem>));
    schemas.insert("BatchLine".into(), parts::batch_line());
    schemas.insert("BatchAnswer".into(), parts::batch_answer());
    Value::Object(schemas)
}

/// Every `$ref` below `value`.
#[cfg(test)]
pub(crate) fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::AgentCommand;
    use crate::dead_letter::DeadLetterCommand;
    use crate::repository::RepositoryCommand;
    use crate::source_file::SourceFileCommand;
    use crate::task::TaskCommand;

    #[test]
    fn every_reference_resolves_and_every_component_is_used() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is not local"));
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        for (kind, parts) in document["components"].as_object().unwrap() {
            for name in parts.as_object().unwrap().keys() {
                let reference = format!("#/components/{kind}/{name}");
                assert!(found.contains(&reference), "{reference} is used nowhere");
            }
        }
    }

    #[test]
    fn every_command_has_its_address() {
        let document = document();
        for (path, method) in [
            ("/api/v1/agents", "post"),
            ("/api/v1/agents/{id}", "delete"),
            ("/api/v1/agents/{id}/kill", "post"),
            ("/api/v1/agents/{id}/restart", "post"),
            ("/api/v1/agents/{id}/pause", "post"),
            ("/api/v1/agents/{id}/resume", "post"),
            ("/api/v1/tasks/claim", "post"),
            ("/api/v1/tasks/{id}", "put"),
            ("/api/v1/commands", "post"),
        ] {
            assert!(document["paths"][path][method]["operationId"].is_string(), "{method} {path} is missing");
        }
    }

    #[test]
    fn every_command_of_clients_has_an_example_that_fits_its_schema_and_type() {
        for command in command_types().filter(|command| command.address != Address::Internal) {
            let example = example(command.name).unwrap_or_else(|| panic!("{} has no example", command.name));
            let validator = jsonschema::draft202012::options()
                .should_validate_formats(true)
                .build(&command_schema(command))
                .unwrap();
            let errors: Vec<String> =
                validator.iter_errors(&example).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", command.name);
            let text = example.to_string();
            let (name, text) = (command.name, text.as_str());
            let read = TaskCommand::decode(name, text)
                .map(|read| read.map(|_| ()))
                .or_else(|| AgentCommand::decode(name, text).map(|read| read.map(|_| ())))
                .or_else(|| RepositoryCommand::decode(name, text).map(|read| read.map(|_| ())))
                .or_else(|| SourceFileCommand::decode(name, text).map(|read| read.map(|_| ())))
                .or_else(|| DeadLetterCommand::decode(name, text).map(|read| read.map(|_| ())));
            assert!(matches!(read, Some(Ok(()))), "{}: {read:?}", command.name);
        }
    }

    /// TASK-1: the priority `medium` of older clients is the priority `normal`.
    #[test]
    fn medium_is_normal() {
        let command = crate::registry::command_type("task.create").unwrap();
        let validator = jsonschema::validator_for(&command_schema(command)).unwrap();
        for (priority, fits) in [("medium", true), ("normal", true), ("urgent", false)] {
            let body = json!({ "type": "t", "title": "t", "priority": priority });
            assert_eq!(validator.is_valid(&body), fits, "{priority}");
        }
        let read = TaskCommand::decode("task.create", r#"{"type":"t","title":"t","priority":"medium"}"#);
        let Some(Ok(TaskCommand::CreateTask(read))) = read else { panic!("{read:?}") };
        assert_eq!(read.priority, crate::task::Priority::Normal);
    }

    #[test]
    fn operation_ids_are_unique() {
        let document = document();
        let mut seen = std::collections::BTreeSet::new();
        for methods in document["paths"].as_object().unwrap().values() {
            for operation in methods.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                assert!(seen.insert(id.clone()), "{id} twice");
            }
        }
        assert!(seen.len() > 40);
    }
}
