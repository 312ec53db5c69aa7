//! What holds for any text in any language.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::worker::code::{
    Fallback, MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_FILE_BYTES, MAX_NAME_CHARS, MAX_SCOPE_CHARS,
    MAX_SIGNATURE_CHARS, Parsed,
};

/// One path for each way of cutting.
const PATHS: [&str; 11] =
    ["a.rs", "a.py", "a.js", "a.ts", "a.tsx", "a.java", "a.go", "a.md", "a.rst", "a.toml", "a.xyz"];

/// Pieces of source text, that together seldom make sense.
const FRAGMENTS: [&str; 46] = [
    "fn a() {",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "impl A for B {",
    "mod m {",
    "#[test]\n",
    "/// doc\n",
    "// comment\n",
    "/*",
    "*/",
    "\"",
    "'",
    "`",
    "${",
    "def f(x):\n    ",
    "class C:\n    ",
    "class D {",
    "@dec\n",
    "import a\n",
    "use a::b;\n",
    "const x = () => ",
    "export default ",
    "function g() {",
    "interface I {",
    "type T = ",
    "type S struct {",
    "func (r *R) M() {",
    "package p\n",
    "# Heading\n",
    "Title\n=====\n",
    "```\n",
    "é",
    "👩‍👧",
    "\u{feff}",
    "\n",
    "\n\n",
    "    ",
    "\t",
    ";",
    ",\n",
];

/// Panics if `found` breaks a promise.
fn check(path: &str, text: &str, found: &FileChunks) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let ids: HashSet<_> = found.chunks.iter().map(|chunk| &chunk.id).collect();
    assert_eq!(ids.len(), found.chunks.len(), "{path}: ids are unique");
    assert!(found.chunks.len() <= MAX_CHUNKS, "{path}: {} chunks", found.chunks.len());
    assert!(found.chunks.is_sorted_by_key(|chunk| chunk.start_line), "{path}: in order");
    let mut covered = HashSet::new();
    for chunk in &found.chunks {
        let lines = 1..=text.split('\n').count();
        assert!(
            chunk.start_line <= chunk.end_line && lines.contains(&(chunk.end_line as usize)),
            "{chunk:?}"
        );
        assert!(!chunk.text.trim().is_empty() && chunk.text.len() <= MAX_CHUNK_BYTES, "{chunk:?}");
        assert!(chunk.name.as_ref().is_none_or(|name| name.chars().count() <= MAX_NAME_CHARS), "{chunk:?}");
        assert!(chunk.scope.chars().count() <= MAX_SCOPE_CHARS, "{chunk:?}");
        assert!(chunk.signature.chars().count() <= MAX_SIGNATURE_CHARS, "{chunk:?}");
        assert!(!chunk.signature.contains(char::is_control), "{chunk:?}");
        covered.extend(chunk.start_line..=chunk.end_line);
    }
    for (line, number) in text.split('\n').zip(1_u32..) {
        assert!(line.trim().is_empty() || covered.contains(&number), "{path}: line {number} {line:?}");
    }
    let sorted = |text: &mut dyn Iterator<Item = char>| {
        let mut all: Vec<_> = text.filter(|c| !c.is_whitespace()).collect();
        all.sort_unstable();
        all
    };
    let kept = sorted(&mut found.chunks.iter().flat_map(|chunk| chunk.text.chars()));
    assert!(kept == sorted(&mut text.chars()), "{path}: every character is in one chunk");
}

proptest! {
    /// KNOW-1, KNOW-7
    #[test]
    fn any_text_is_cut_whole(
        fragments in prop::collection::vec((0..FRAGMENTS.len(), 1..4_usize, ".{0,3}"), 0..60),
    ) {
        let text: String =
            fragments.into_iter().map(|(which, times, noise)| FRAGMENTS[which].repeat(times) + &noise).collect();
        for path in PATHS {
            check(path, &text, &chunk(path, &text));
        }
    }

    /// KNOW-7
    #[test]
    fn the_end_of_a_line_changes_nothing(
        fragments in prop::collection::vec(0..FRAGMENTS.len(), 0..40),
    ) {
        let text: String = fragments.into_iter().map(|which| FRAGMENTS[which]).collect();
        for path in PATHS {
            let found = chunk(path, &text);
            prop_assert_eq!(&found, &chunk(path, &text.replace('\n', "\r\n")));
            prop_assert_eq!(&found.chunks, &chunk(path, &text).chunks);
        }
    }
}

/// KNOW-7
#[test]
fn a_byte_order_mark_and_a_missing_last_line_feed_change_nothing() {
    let text = "fn a() {}\n\nfn b() {}\n";
    let found = chunk("a.rs", text);
    assert_eq!(found.chunks.len(), 2);
    assert_eq!(found, chunk("a.rs", &format!("\u{feff}{text}")));
    assert_eq!(found, chunk("a.rs", text.trim_end()));
    assert!(chunk("a.rs", "").chunks.is_empty() && chunk("a.md", "\n \n").chunks.is_empty());
}

/// Text that is nested too deeply gets to no parser; long lines are cut; no step is quadratic.
#[test]
fn hostile_text_is_cut_too() {
    for (path, part, costly) in [
        ("a.rs", "(", true),
        ("a.rs", "mod a{", true),
        ("a.tsx", "<a>", false),
        ("a.java", "a<", true),
        ("a.java", "class A{", true),
        ("a.go", "func a(){", true),
        ("a.rs", "fn a(){}\n", false),
        ("a.rs", "//\n", false),
        ("a.py", "class A:pass\n", false),
        ("a.js", "/**/", false),
        ("a.js", "a=>", false),
        ("a.js", "a", false),
        ("a.ts", "!", false),
        ("a.md", "#\n", false),
        ("a.rst", "a\n===\n", false),
        ("a.txt", "a", false),
        ("a.xyz", "é", false),
    ] {
        let text = part.repeat(MAX_FILE_BYTES / part.len());
        let found = chunk(path, &text);
        check(path, &text, &found);
        let given_up = found.parsed == Parsed::Text(Fallback::TooCostly);
        assert_eq!(given_up, costly, "{path}: {part}");
    }
}

/// What is nested as deeply as a parser gets it needs no deep stack.
#[test]
fn deep_text_is_walked() {
    for (path, open, close) in [
        ("a.rs", "mod a{", "}"),
        ("a.ts", "namespace A{", "}"),
        ("a.java", "class A{", "}"),
        ("a.js", "[", "]"),
    ] {
        let text = format!("{}\nx\n{}", open.repeat(500), close.repeat(500));
        let found = chunk(path, &text);
        assert_eq!(found.parsed, Parsed::Definitions);
        check(path, &text, &found);
        let deeper = chunk(path, &format!("{open}{text}"));
        assert_eq!(deeper.parsed, Parsed::Text(Fallback::TooCostly));
    }
}

/// KNOW-7
#[test]
fn a_lost_patience_is_told() {
    let text = texts::RUST.repeat(20);
    let found = super::super::chunk("a.rs", &text, &|| true);
    assert_eq!(found.parsed, Parsed::Text(Fallback::TooCostly));
    check("a.rs", &text, &found);
    assert_eq!(chunk("a.rs", &text).parsed, Parsed::Definitions);
}

/// A commit holds 1,000 events.
#[test]
fn too_many_chunks_are_merged_with_their_neighbours() {
    let text: String = (0..3_000).map(|index| format!("fn f{index}() {{}}\n")).collect();
    let found = chunk("a.rs", &text);
    check("a.rs", &text, &found);
    assert!(found.chunks.len() > 50, "no more than needed: {}", found.chunks.len());
    let few: String = (0..MAX_CHUNKS).map(|index| format!("fn f{index}() {{}}\n")).collect();
    assert_eq!(chunk("a.rs", &few).chunks.len(), MAX_CHUNKS);
}

/// KNOW-1
#[test]
fn a_long_definition_is_cut_between_its_lines() {
    let body: String = (0..600).map(|index| format!("    let value_{index} = {index} * 2;\n")).collect();
    let text = format!("mod m {{\n/// Long.\nfn long() {{\n{body}}}\n}}\n");
    let found = chunk("a.rs", &text);
    check("a.rs", &text, &found);
    let parts: Vec<_> = found.chunks.iter().filter(|chunk| chunk.name.as_deref() == Some("long")).collect();
    assert!(parts.len() > 1 && parts.iter().zip(0..).all(|(chunk, part)| chunk.part == part));
    assert!(parts.iter().all(|chunk| chunk.scope == "m" && chunk.signature == "fn long()"));
    assert!(parts.windows(2).all(|pair| pair[0].end_line + 1 == pair[1].start_line), "whole lines");
}
