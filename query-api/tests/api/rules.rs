use std::path::{Path, PathBuf};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            sources(&entry.path(), found);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            found.push((entry.path().display().to_string(), std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

/// The blocks that the schema is made of, each with its file.
fn resolvers() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&here().join("src/schema"), &mut found);
    let mut blocks = Vec::new();
    for (file, text) in found {
        for marker in ["#[Object]", "#[SubscriptionRoot]", "#[ComplexObject]"] {
            for (at, _) in text.match_indices(marker) {
                let end = text[at..].find("\n}\n").map_or(text.len(), |end| at + end);
                blocks.push((file.clone(), text[at..end].to_owned()));
            }
        }
    }
    blocks
}

/// async-graphql 7 drops the key of a failed `Result<Option<T>>`, and a failed non-null field takes its
/// whole parent away. So a resolver that can fail gives `Option<Fallible<T>>`, and nothing else does.
#[test]
fn a_field_that_can_fail_is_nullable() {
    let blocks = resolvers();
    assert!(blocks.len() > 10);
    for (file, block) in blocks {
        for signature in block.split("async fn ").skip(1) {
            let signature = &signature[..signature.find('{').unwrap()];
            let result = signature.split("->").nth(1).unwrap_or("").trim();
            let fallible = result.contains("Fallible<") || result.contains("Result<");
            let allowed = result.starts_with("Option<Fallible<")
                || result.starts_with("BoxStream<'static, Option<Fallible<");
            assert!(
                !fallible || allowed && !result.contains("Result<") && !result.contains("Fallible<Option<"),
                "{file}: {signature}"
            );
        }
    }
}

/// Every statement is a constant text with bound values: nothing of a request is ever part of SQL.
#[test]
fn no_statement_is_built_from_text() {
    let mut found = Vec::new();
    sources(&here().join("src"), &mut found);
    for (file, text) in found {
        assert!(
            !text.contains("AssertSqlSafe") && !text.contains("raw_sql"),
            "{file} runs SQL that is not constant"
        );
        for (at, _) in text.match_indices(".push(format!") {
            let near = text[..at].rsplit('\n').next().unwrap_or("");
            assert!(!near.contains("sql"), "{file} builds SQL from text");
        }
    }
}

/// The committed schema is the one that is served. `GESTA_REGENERATE=1` writes it anew.
#[test]
fn the_committed_schema_is_the_served_one() {
    let path = here().join("schema.graphql");
    let served = query_api::schema_sdl();
    if std::env::var_os("GESTA_REGENERATE").is_some() {
        std::fs::write(&path, &served).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == served,
        "query-api/schema.graphql differs from the schema; run the tests with GESTA_REGENERATE=1"
    );
    for kind in ["type ", "enum ", "input ", "scalar ConsistencyToken", "interface "] {
        for (at, _) in served.match_indices(&format!("\n{kind}")) {
            let before = served[..at].trim_end();
            let name = served[at + 1..].lines().next().unwrap_or("");
            let relay = name.contains("Connection") || name.contains("Edge") || name.contains("PageInfo");
            assert!(before.ends_with("\"\"\"") || relay, "{name} has no description");
        }
    }
}

/// The explorer loads nothing from anywhere.
#[test]
fn the_explorer_needs_no_internet() {
    let page = std::fs::read_to_string(here().join("src/explorer.html")).unwrap();
    for foreign in ["http://", "https://", "src=\"//", "@import", "url("] {
        assert!(!page.contains(foreign), "the explorer names {foreign}");
    }
    assert!(page.contains("/graphql") && page.len() < 64 * 1024);
}
