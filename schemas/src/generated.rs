//! The committed documents are what the code gives. With `GESTA_REGENERATE=1` the tests write them.

mod pages;
mod published;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::json_schema::{command_path, command_schema, event_path, event_schema};
use crate::registry::{command_types, event_types};

/// Path from the workspace's root.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").join(path)
}

/// Whether files are to be written instead of compared.
fn regenerating() -> bool {
    std::env::var_os("GESTA_REGENERATE").is_some()
}

/// Compares the committed file with `content`, or writes it.
fn check(path: &str, content: &str) {
    let file = root(path);
    if regenerating() {
        std::fs::create_dir_all(file.parent().expect("a file lies in a folder")).unwrap();
        std::fs::write(&file, content).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == content,
        "{path} is not what the code gives: GESTA_REGENERATE=1 cargo test -p schemas"
    );
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The names of the files in a folder.
fn files_in(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_json_schema_is_current() {
    for command in command_types() {
        check(&format!("schemas/json/{}", command_path(command)), &pretty(&command_schema(command)));
    }
    for event in event_types() {
        check(&format!("schemas/json/{}", event_path(event.name)), &pretty(&event_schema(event)));
    }
    let commands: BTreeSet<String> =
        command_types().map(|command| format!("{}.json", command.name)).collect();
    let events: BTreeSet<String> = event_types().map(|event| format!("{}.json", event.name)).collect();
    assert_eq!(files_in("schemas/json/commands"), commands, "a schema without a command");
    assert_eq!(files_in("schemas/json/events"), events, "a schema without an event");
}

#[test]
fn openapi_is_current() {
    check("schemas/openapi.json", &pretty(&crate::openapi::document()));
}

#[test]
fn asyncapi_is_current() {
    check("schemas/asyncapi.json", &pretty(&crate::asyncapi::document()));
}

#[test]
fn the_page_of_events_is_current() {
    check("docs/events.md", &pages::events());
}

#[test]
fn the_page_of_errors_is_current() {
    check("docs/errors.md", &pages::errors());
}
