//! docs/adding-an-aggregate.md names every file that an aggregate takes, and no other.

use std::collections::BTreeSet;

use super::sources::{SOURCES, Source, root};

const PAGE: &str = "docs/adding-an-aggregate.md";
/// What names the aggregate that the page shows it on, in code.
const MARKS: [&str; 5] = ["AgentCommand", "AgentEvent", "AgentList", "agent_list", "AGENT_"];

/// The files that the page names by their path from the root.
fn named(page: &str) -> BTreeSet<&str> {
    page.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.ends_with(".rs") && word.contains("/src/"))
        .collect()
}

/// Whether code of the product, not of a test, names the aggregate.
fn names_it(source: &Source) -> bool {
    let product = source.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.into_iter().any(|line| MARKS.iter().any(|mark| line.contains(mark)))
}

/// Files of the aggregate itself, and of tests.
fn is_its_own(path: &str) -> bool {
    ["/agent/", "/agent_list/", "tests/", "/tests", "/given.rs"].iter().any(|part| path.contains(part))
}

#[test]
fn adding_an_aggregate_takes_what_the_page_says() {
    let page = std::fs::read_to_string(root().join(PAGE)).expect("the page is there");
    let listed = named(&page);
    let absent: Vec<_> = listed.iter().filter(|path| !root().join(path).is_file()).collect();
    assert!(absent.is_empty(), "{PAGE} names files that are not there: {absent:?}");
    let product = SOURCES.iter().filter(|source| !is_its_own(&source.path));
    let unlisted: Vec<_> =
        product.filter(|source| names_it(source) && !listed.contains(source.path.as_str())).collect();
    let unlisted: Vec<_> = unlisted.iter().map(|source| &source.path).collect();
    assert!(unlisted.is_empty(), "{PAGE} does not name {unlisted:?}");
    let silent = listed.iter().filter(|path| {
        SOURCES.iter().any(|source| source.path == **path && !source.text.to_lowercase().contains("agent"))
    });
    assert_eq!(silent.collect::<Vec<_>>(), Vec::<&&str>::new(), "listed, but the aggregate is not in it");
}
