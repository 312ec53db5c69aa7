//! docs/events.md and docs/errors.md.

use std::fmt::Write as _;

use serde_json::Value;

use crate::json_schema::{event_path, event_schema};
use crate::problem::Code;
use crate::registry::event_types;

/// Every event with its fields.
pub(super) fn events() -> String {
    let mut page = String::from(
        "# Events\n\nGenerated from the types in `schemas/`; `GESTA_REGENERATE=1 cargo test -p schemas` writes it anew.\n\n\
         An event stands in the log inside the commit of its command, and leaves Gesta as a CloudEvent: `gesta events` prints\n\
         one JSON object per line, `data` holds the fields below; `/asyncapi.json` describes the public topics. An event's id is `UUIDv5(stream, version)`, the same everywhere.\n\
         A field marked *personal* may hold personal data. A field that is not marked *required* may be absent or `null`.\n",
    );
    let mut aggregate = "";
    for event in event_types() {
        if event.aggregate != aggregate {
            aggregate = event.aggregate;
            let _ = write!(page, "\n## {aggregate}\n\nTopic `gesta.{}.events`.\n", event.context);
        }
        let schema = event_schema(event);
        let _ = write!(
            page,
            "\n### {}\n\n{} Revision {}, [schema](../schemas/json/{}).\n",
            event.name,
            line(&schema["description"]),
            event.v,
            event_path(event.name)
        );
        fields(&mut page, &schema);
    }
    page
}

fn fields(page: &mut String, schema: &Value) {
    let properties = schema["properties"].as_object().expect("an event is an object");
    if properties.is_empty() {
        page.push_str("\nNo fields.\n");
        return;
    }
    page.push_str("\n| field | type | meaning |\n|---|---|---|\n");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in properties {
        let mut marks = String::new();
        if property["x-personal"] == true || property["anyOf"][0]["x-personal"] == true {
            marks.push_str(", personal");
        }
        if required.contains(&name.as_str()) {
            marks.push_str(", required");
        }
        let _ =
            writeln!(page, "| `{name}` | {}{marks} | {} |", kind(property), line(&property["description"]));
    }
}

/// A type in words.
fn kind(property: &Value) -> String {
    if let Some(choices) = property["oneOf"].as_array() {
        let written = choices.iter().filter(|choice| choice["deprecated"] != true);
        let names: Vec<String> =
            written.map(|choice| format!("`{}`", choice["const"].as_str().unwrap_or("?"))).collect();
        return names.join(" or ");
    }
    if let Some(first) = property["anyOf"].get(0) {
        return kind(first);
    }
    let name = match &property["type"] {
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => "any".into(),
    };
    match (name.as_str(), property["format"].as_str()) {
        ("array", _) => format!("array of {}", kind(&property["items"])),
        ("string", Some("date-time")) => "instant (RFC 3339, UTC)".into(),
        ("string", Some("uuid")) => "UUID".into(),
        _ => name,
    }
}

/// A description in one line.
fn line(text: &Value) -> String {
    text.as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// Every error code.
pub(super) fn errors() -> String {
    let mut page = String::from(
        "# Errors\n\nGenerated from `schemas/src/problem.rs`; `GESTA_REGENERATE=1 cargo test -p schemas` writes it anew.\n\n\
         An error of the command API is a problem (RFC 9457, `application/problem+json`) with these members beside `type`, `title`,\n\
         `status`, `detail` and `instance`: `code` (stable; one of the below), `advice`, `retryable` (whether sending the same again may\n\
         succeed), and where they apply `errors` (a list of `pointer` and `message`), `expectedVersion`, `actualVersion`, `state`,\n\
         `allowed` (the commands that the state allows), `currentToken`, `key` (the command's `Idempotency-Key`). GraphQL errors carry `code` in `extensions`.\n\n\
         Statuses 400 to 499 and 503 mean that nothing happened. 504 `outcome_unknown` means that it is not known: send the same command with the\n\
         same key. 500 tells nothing either way: do the same.\n",
    );
    for code in Code::all() {
        let _ =
            write!(page, "\n## {}\n\n{}: {}. {}\n", code.name(), code.status(), code.title(), code.advice());
        if code.retryable() {
            page.push_str("Retryable.\n");
        }
    }
    page
}
