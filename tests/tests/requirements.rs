//! docs/requirements.md is made from the tests: a row is proven when a test's doc comment names it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::architecture::sources::{SOURCES, root};

/// `id<TAB>what`, one row each, in the order of the specification.
const ROWS: &str = include_str!("../requirements.tsv");

/// Row id → the tests whose doc comment names it.
fn proofs() -> BTreeMap<String, Vec<String>> {
    let mut proofs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in SOURCES.iter() {
        let mut named: Vec<String> = Vec::new();
        let mut is_test = false;
        for line in source.text.lines().map(str::trim_start) {
            if let Some(doc) = line.strip_prefix("///") {
                named.extend(ids(doc));
            } else if line.starts_with("#[") {
                is_test |= line.contains("test]") || line.contains("rstest") || line.contains("tokio::test");
            } else if let Some(name) = function_name(line) {
                if is_test {
                    for id in named.drain(..) {
                        proofs.entry(id).or_default().push(format!("`{}` {name}", source.path));
                    }
                }
                (named, is_test) = (Vec::new(), false);
            } else if !line.starts_with("//") {
                named.clear();
            }
        }
    }
    proofs
}

/// The row ids in a line, ranges left out: `TASK-10, M-8` names two.
fn ids(doc: &str) -> impl Iterator<Item = String> + '_ {
    let words = doc.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words
        .filter(|word| {
            let Some((context, number)) = word.split_once('-') else { return false };
            !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
                && context.bytes().all(|b| b.is_ascii_uppercase())
        })
        .map(str::to_owned)
}

fn function_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ").unwrap_or(line);
    let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
    Some(&rest[..rest.find(['(', '<'])?])
}

fn page() -> String {
    let proofs = proofs();
    let rows: Vec<(&str, &str)> =
        ROWS.lines().map(|row| row.split_once('\t').expect("id, tab, what")).collect();
    let proven = rows.iter().filter(|(id, _)| proofs.contains_key(*id)).count();
    let mut page = format!(
        "# Requirements: what is proven and what is open\n\nMade from the row ids in the doc comments of the tests \
         (`GESTA_REGENERATE=1 make test AREA=tests`).\n{proven} of {} rows have a test that names them.\n",
        rows.len()
    );
    let mut context = "";
    for (id, what) in rows {
        let (this, _) = id.split_once('-').expect("an id has a hyphen");
        if this != context {
            context = this;
            let _ = write!(page, "\n## {context}\n\n| row | what | proven by |\n|---|---|---|\n");
        }
        let by = proofs.get(id).map_or_else(|| "open".to_owned(), |tests| tests.join(", "));
        let _ = writeln!(page, "| {id} | {} | {by} |", what.replace('|', "\\|"));
    }
    page
}

#[test]
fn the_page_of_requirements_is_current() {
    let path = root().join("docs/requirements.md");
    if std::env::var_os("GESTA_REGENERATE").is_some() {
        std::fs::write(&path, page()).expect("docs/ can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page(), "docs/requirements.md is stale: GESTA_REGENERATE=1 make test AREA=tests");
}

#[test]
fn ids_are_found_in_prose() {
    assert_eq!(
        ids(" TASK-10, M-8: no two leases (see D-50)").collect::<Vec<_>>(),
        ["TASK-10", "M-8", "D-50"]
    );
    assert_eq!(ids("UTF-8 x-personal a-1").collect::<Vec<_>>(), ["UTF-8"]);
}
