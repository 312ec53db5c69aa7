//! The deciding code knows neither clock nor chance nor the outside.

use super::sources::{Declared, SOURCES, Source};

/// Words that no pure file may hold, and what each would bring in.
const IMPURE: [(&str, &str); 15] = [
    ("async ", "waiting"),
    (".await", "waiting"),
    ("tokio", "a runtime"),
    ("std::time", "a clock"),
    ("Utc::now", "a clock"),
    ("Local::now", "a clock"),
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("new_v4", "chance"),
    ("rand::", "chance"),
    ("std::fs", "files"),
    ("std::net", "the network"),
    ("std::env", "configuration"),
    ("std::thread", "threads"),
    ("std::sync::mpsc", "channels"),
];

const PURE: [&str; 4] = [
    "command-service/src/aggregates/",
    "command-service/src/shard/",
    "event-log/src/rule_f",
    "projectors/src/read_models/",
];

fn impurities(source: &Source) -> Vec<String> {
    let code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
    // A text in quotes does nothing: `"agent.await_input"` is the name of a command.
    let code = code.flat_map(|line| line.split('"').step_by(2));
    code.flat_map(|part| IMPURE.iter().filter(move |(word, _)| part.contains(word)))
        .map(|(word, what)| format!("{}: `{word}` brings in {what}", source.path))
        .collect()
}

#[test]
fn aggregates_shard_rule_f_and_folds_are_pure() {
    let mut found = Vec::new();
    for folder in PURE {
        let files: Vec<_> = SOURCES.iter().filter(|source| source.path.starts_with(folder)).collect();
        assert!(!files.is_empty(), "nothing lies at {folder}; the rule would hold nothing");
        // A test beside pure code may do what tests do.
        let product = files.iter().filter(|source| !source.path.contains("/tests"));
        found.extend(product.flat_map(|source| impurities(source)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_word_list_finds_a_clock() {
    let text = "fn f() { g(\".await\", Utc::now()) }".to_owned();
    let source = Source { path: "x.rs".into(), text, declared: Declared::default() };
    assert_eq!(impurities(&source).len(), 1);
}
