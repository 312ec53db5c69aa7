//! `schemas/published`: samples of every event type and revision, as they stand in logs out there.
//!
//! A sample has a name, the `data` of an event, and `value`, what the release that published it read.
//! Files are added, never changed: `SHA256SUMS` names each with its sum. Until the list has its mark
//! `# append-only from here` samples may still be mended, and GESTA_REGENERATE=1 renews the list; from
//! the commit that adds the mark on, lines are only added, and git shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Once;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{check, files_in, pretty, regenerating, root};
use crate::contract::EventType;
use crate::json_schema::event_schema;
use crate::registry::{event_type, event_types};
use crate::upcast;

const FOLDER: &str = "schemas/published";
const SUMS: &str = "SHA256SUMS";
const MARK: &str = "# append-only from here";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: String,
    data: Value,
    value: Option<Value>,
}

fn file_name(event: &str, revision: u32) -> String {
    format!("{event}.rev{revision}.json")
}

/// Event type and revision of a file.
fn name_parts(file: &str) -> (&str, u32) {
    let parts = file.strip_suffix(".json").and_then(|name| name.rsplit_once(".rev"));
    let parts = parts.and_then(|(event, revision)| Some((event, revision.parse().ok()?)));
    parts.unwrap_or_else(|| panic!("{file} is not <event type>.rev<n>.json"))
}

fn samples(file: &str) -> Vec<Sample> {
    let text = std::fs::read_to_string(root(&format!("{FOLDER}/{file}")))
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn sample_files() -> impl Iterator<Item = String> {
    files_in(FOLDER).into_iter().filter(|name| name != SUMS)
}

/// What today's code reads, upcast to the current revision of the current type.
fn read(kind: &str, revision: u32, data: &Value) -> Result<(&'static EventType, Value), String> {
    let data = to_raw_value(data).map_err(|error| error.to_string())?;
    let event = upcast::through(upcast::READS, kind, revision, &data).map_err(|error| error.to_string())?;
    let known = event_type(&event.kind).ok_or(format!("{} is not registered", event.kind))?;
    let current: Box<RawValue> = event.read(known.v).map_err(|error| error.to_string())?;
    Ok((known, (known.normalise)(&current).map_err(|error| error.to_string())?))
}

/// Fields of `published` that `today` reads differently; a field that came later must be empty.
fn differences(published: &Map<String, Value>, today: &Map<String, Value>) -> Vec<String> {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let changed =
        published.iter().filter(|(name, value)| today.get(*name) != Some(value)).map(|(name, _)| name);
    let added = today
        .iter()
        .filter(|(name, value)| !published.contains_key(*name) && !empty(value))
        .map(|(name, _)| name);
    changed.chain(added).cloned().collect()
}

/// When regenerating: writes the value of each sample that has none. A value is never changed.
fn fill_in_values() {
    static FILLED: Once = Once::new();
    FILLED.call_once(|| {
        for file in sample_files().filter(|_| regenerating()) {
            let (event, revision) = name_parts(&file);
            let mut samples = samples(&file);
            for sample in samples.iter_mut().filter(|sample| sample.value.is_none()) {
                sample.value = read(event, revision, &sample.data).ok().map(|(_, value)| value);
            }
            check(&format!("{FOLDER}/{file}"), &pretty(&serde_json::to_value(&samples).unwrap()));
        }
    });
}

/// PLAT-28: every published sample is read, to the value that it had when it was published.
#[test]
fn samples_are_read_to_the_same_value() {
    fill_in_values();
    for file in sample_files() {
        let (event, revision) = name_parts(&file);
        for sample in samples(&file) {
            let place = format!("{file}, sample {}", sample.name);
            let (known, today) =
                read(event, revision, &sample.data).unwrap_or_else(|error| panic!("{place}: {error}"));
            let value =
                sample.value.unwrap_or_else(|| panic!("{place}: no value; GESTA_REGENERATE=1 fills it in"));
            let (_, of_value) =
                read(event, revision, &value).unwrap_or_else(|error| panic!("{place}, value: {error}"));
            assert_eq!(today, of_value, "{place}: what is absent means something else today");
            if (known.name, known.v) == (event, revision) {
                let (value, today) = (value.as_object().unwrap(), today.as_object().unwrap());
                assert_eq!(differences(value, today), Vec::<String>::new(), "{place}: read differently");
            }
        }
    }
}

#[test]
fn a_changed_reading_is_found() {
    let map = |value: Value| value.as_object().unwrap().clone();
    let published = map(serde_json::json!({"a": 1, "b": null}));
    assert_eq!(
        differences(&published, &map(serde_json::json!({"a": 1, "b": null, "later": []}))),
        Vec::<String>::new()
    );
    assert_eq!(differences(&published, &map(serde_json::json!({"a": 2, "b": null}))), ["a"]);
    assert_eq!(differences(&published, &map(serde_json::json!({"a": 1}))), ["b"]);
    assert_eq!(differences(&published, &map(serde_json::json!({"a": 1, "b": null, "later": 3}))), ["later"]);
}

/// Each current revision has a sample with every field and one with only the required ones, and the schema takes both.
#[test]
fn every_event_has_a_full_and_a_minimal_sample_that_fit_its_schema() {
    fill_in_values();
    for event in event_types() {
        let file = file_name(event.name, event.v);
        let schema = event_schema(event);
        let names = |value: &Value| -> BTreeSet<String> {
            value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, _)| name.clone())
                .collect()
        };
        let all = names(&schema["properties"]);
        let required: BTreeSet<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let samples = samples(&file);
        assert!(
            samples.iter().any(|sample| names(&sample.data) == all),
            "{file}: no sample has all of {all:?}"
        );
        assert!(
            samples.iter().any(|sample| names(&sample.data) == required),
            "{file}: no sample has only {required:?}"
        );
        let validator =
            jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        for sample in &samples {
            let errors: Vec<String> =
                validator.iter_errors(&sample.data).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{file}, sample {}: {errors:?}", sample.name);
        }
    }
}

/// File → sum, from the files themselves.
fn sums() -> BTreeMap<String, String> {
    let sum = |file: &str| {
        let digest = Sha256::digest(std::fs::read(root(&format!("{FOLDER}/{file}"))).unwrap());
        digest.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    sample_files().map(|file| (file.clone(), sum(&file))).collect()
}

#[test]
fn the_list_of_published_samples_is_current() {
    fill_in_values();
    let path = root(&format!("{FOLDER}/{SUMS}"));
    let mut list = std::fs::read_to_string(&path).unwrap_or_default();
    if regenerating() {
        if !list.contains(MARK) {
            list.clear();
        }
        let is_new = |file: &String| !list.contains(&format!("  {file}\n"));
        let new = sums().into_iter().filter(|(file, _)| is_new(file));
        let lines: String = new.map(|(file, sum)| format!("{sum}  {file}\n")).collect();
        list.push_str(&lines);
        std::fs::write(&path, &list).unwrap();
    }
    let listed = list.lines().filter_map(|line| line.split_once("  "));
    let listed: BTreeMap<String, String> =
        listed.map(|(sum, file)| (file.to_owned(), sum.to_owned())).collect();
    let found = sums();
    let names: BTreeSet<&String> = found.keys().chain(listed.keys()).collect();
    let changed: Vec<_> = names.into_iter().filter(|file| found.get(*file) != listed.get(*file)).collect();
    assert!(
        changed.is_empty(),
        "changed or removed since they were published, or new and not in {SUMS}: {changed:?}"
    );
}

/// PLAT-28: a sample is published for ever.
#[test]
fn no_published_sample_is_struck_from_the_list() {
    let removed = removed_lines();
    assert!(removed.is_empty(), "{SUMS} lost lines, which are published for ever:\n{}", removed.join("\n"));
}

/// Lines that git shows as removed from the list since the commit that sealed it. A tarball has no
/// history: there the sums alone are the proof.
fn removed_lines() -> Vec<String> {
    if !root(".git").exists() {
        return Vec::new();
    }
    let list = format!("{FOLDER}/{SUMS}");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(root("."))
            .args(arguments)
            .output()
            .expect("git is installed where .git is");
        assert!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let marked = git(&["log", "--reverse", "--format=%H", &format!("-S{MARK}"), "--", &list]);
    let Some(sealing) = marked.lines().next() else { return Vec::new() };
    let later = git(&["log", "--format=", "-p", &format!("{sealing}..HEAD"), "--", &list]);
    later
        .lines()
        .filter(|line| line.starts_with('-') && !line.starts_with("---"))
        .map(str::to_owned)
        .collect()
}
