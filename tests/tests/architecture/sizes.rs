//! Small files, small functions, few abstractions.

use super::sources::{SOURCES, declared};

/// Longest file, in lines, tests included.
const MAX_FILE_LINES: usize = 400;
/// Longest function, in lines.
const MAX_FUNCTION_LINES: usize = 60;
/// The traits of our own that the design needs.
const PUBLIC_TRAITS: [&str; 4] = ["Aggregate", "Projection", "GraphStore", "Embedder"];
/// Most macros in the workspace.
const MAX_MACROS: usize = 1;

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for source in SOURCES.iter() {
        let lines = source.text.lines().count();
        if lines > MAX_FILE_LINES {
            long.push(format!("{}: {lines} lines", source.path));
        }
        for (name, lines) in &source.declared.functions {
            if *lines > MAX_FUNCTION_LINES {
                long.push(format!("{}: fn {name} has {lines} lines", source.path));
            }
        }
    }
    assert!(long.is_empty(), "split by concept:\n{}", long.join("\n"));
}

#[test]
fn abstractions_are_few() {
    let mut foreign_traits = Vec::new();
    let mut macros = Vec::new();
    for source in SOURCES.iter() {
        let declared = &source.declared;
        let unknown = declared.public_traits.iter().filter(|name| !PUBLIC_TRAITS.contains(&name.as_str()));
        foreign_traits.extend(unknown.map(|name| format!("{}: {name}", source.path)));
        macros.extend(declared.macros.iter().map(|name| format!("{}: {name}", source.path)));
    }
    assert!(foreign_traits.is_empty(), "public traits beyond {PUBLIC_TRAITS:?}: {foreign_traits:?}");
    assert!(macros.len() <= MAX_MACROS, "more than {MAX_MACROS} macro: {macros:?}");
}

#[test]
fn the_rulers_measure() {
    let tree = syn::parse_file("pub trait T {}\nfn f() {\n\n}\nimpl S {\n fn g(&self) {\n }\n}").unwrap();
    let found = declared(&tree);
    assert_eq!(found.functions, [("f".to_owned(), 3), ("g".to_owned(), 2)]);
    assert_eq!(found.public_traits, ["T"]);
}
