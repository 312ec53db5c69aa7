//! Which crate may know which.

use std::collections::BTreeMap;

use super::sources::{SOURCES, root};

/// Own crates that each crate may depend on, tests included.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("schemas", &[]),
    ("event-log", &["schemas"]),
    ("migrations", &["schemas"]),
    ("command-service", &["schemas", "event-log"]),
    ("projectors", &["schemas", "event-log", "migrations"]),
    ("query-api", &["schemas", "migrations"]),
    ("gesta", &["schemas", "event-log", "command-service", "migrations", "projectors", "query-api"]),
    ("tests", &["schemas"]),
];

/// Own crates that a folder of the executable may name.
const FOLDERS: [(&str, &[&str]); 3] = [
    ("gesta/src/worker", &["schemas"]),
    ("gesta/src/cli", &["schemas"]),
    ("gesta/src/admin", &["schemas", "event_log", "migrations"]),
];

fn metadata() -> cargo_metadata::Metadata {
    cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .expect("cargo metadata reads the workspace")
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let metadata = metadata();
    assert_eq!(metadata.packages.len(), ALLOWED.len(), "a crate is missing from the table");
    for package in &metadata.packages {
        let may = allowed
            .get(package.name.as_str())
            .unwrap_or_else(|| panic!("{} is not in the table", package.name));
        for dependency in &package.dependencies {
            let own = allowed.contains_key(dependency.name.as_str());
            assert!(
                !own || may.contains(&dependency.name.as_str()),
                "{} → {}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn kafka_and_neo4j_have_one_owner_each() {
    for (library, owner) in [("rdkafka", "event-log"), ("neo4rs", "migrations")] {
        for package in metadata().packages {
            let uses = package.dependencies.iter().any(|dependency| dependency.name == library);
            assert!(!uses || package.name.as_str() == owner, "{} uses {library}", package.name);
        }
    }
}

#[test]
fn worker_and_cli_speak_http_only() {
    let own: Vec<String> = ALLOWED.iter().map(|(name, _)| name.replace('-', "_")).collect();
    for (folder, may) in FOLDERS {
        let files: Vec<_> = SOURCES.iter().filter(|source| source.path.starts_with(folder)).collect();
        assert!(!files.is_empty(), "nothing lies at {folder}; the rule would hold nothing");
        for (source, name) in files.iter().flat_map(|source| own.iter().map(move |name| (source, name))) {
            let named = source.text.contains(&format!("{name}::"));
            assert!(!named || may.contains(&name.as_str()), "{} names {name}", source.path);
        }
    }
}
