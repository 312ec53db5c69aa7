//! The chunker against what others find in the same text.

use std::collections::BTreeMap;
use std::path::Path;

use syn::visit::Visit;
use tree_sitter::{Parser, Query, QueryCursor, StreamingIterator as _};

use super::*;
use crate::worker::code::languages::grammar;
use crate::worker::code::{Parsed, decode};
use crate::worker::walk::{Range, files};

/// Functions outside of functions, by name.
#[derive(Default)]
struct Functions(BTreeMap<String, usize>);

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        *self.0.entry(item.sig.ident.to_string()).or_default() += 1;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        *self.0.entry(item.sig.ident.to_string()).or_default() += 1;
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if item.default.is_some() {
            *self.0.entry(item.sig.ident.to_string()).or_default() += 1;
        }
    }
}

/// KNOW-1, KNOW-12
#[test]
fn every_function_of_this_repository_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut functions = 0;
    for folder in ["schemas/src", "command-service/src"] {
        for path in files(&root.join(folder), Range::default()) {
            let path = path.expect("the tree can be walked");
            let bytes = std::fs::read(root.join(folder).join(&path)).expect("the file can be read");
            let text = decode(&bytes).expect("sources are text");
            let Ok(parsed) = syn::parse_file(text) else { continue };
            let mut expected = Functions::default();
            expected.visit_file(&parsed);
            let found = chunk(&path.to_string_lossy(), text);
            assert_eq!(found.parsed, Parsed::Definitions, "{}", path.display());
            for (name, times) in expected.0 {
                let named = found.chunks.iter().filter(|chunk| {
                    let function = matches!(chunk.kind, ChunkKind::FunctionDef | ChunkKind::Test);
                    function && chunk.part == 0 && chunk.name.as_deref() == Some(&name)
                });
                assert!(named.count() >= times, "{name} of {}", path.display());
                functions += times;
            }
        }
    }
    assert!(functions > 500, "{functions} functions are a whole tree");
}

/// Names that the shipped queries call definitions. TypeScript's has only what JavaScript's lacks.
fn tagged(language: &str, text: &str) -> Vec<String> {
    let javascript = tree_sitter_javascript::TAGS_QUERY;
    let source = match language {
        "rust" => tree_sitter_rust::TAGS_QUERY.to_owned(),
        "python" => tree_sitter_python::TAGS_QUERY.to_owned(),
        "javascript" => javascript.to_owned(),
        "java" => tree_sitter_java::TAGS_QUERY.to_owned(),
        "go" => tree_sitter_go::TAGS_QUERY.to_owned(),
        _ => format!("{javascript}\n{}", tree_sitter_typescript::TAGS_QUERY),
    };
    let language = &grammar(language).expect("a grammar").language;
    let query = Query::new(language, &source).expect("the query belongs to the grammar");
    let mut parser = Parser::new();
    parser.set_language(language).expect("the grammar fits the library");
    let tree = parser.parse(text, None).expect("there is a language and no deadline");
    let mut cursor = QueryCursor::new();
    let mut matches = cursor.matches(&query, tree.root_node(), text.as_bytes());
    let mut names = Vec::new();
    while let Some(found) = matches.next() {
        let label = |index: u32| query.capture_names()[index as usize];
        let kinds: Vec<_> = found.captures().iter().map(|capture| label(capture.index)).collect();
        let defines = |kind: &&str| kind.starts_with("definition.") && *kind != "definition.constant";
        if kinds.iter().any(defines) {
            let named = found.captures().iter().filter(|capture| label(capture.index) == "name");
            names.extend(named.map(|capture| text[capture.node.byte_range()].to_owned()));
        }
    }
    names
}

/// KNOW-1
#[test]
fn what_the_grammars_call_definitions_is_found() {
    // Without a body, or too small within a function, an object or one line with its owner.
    let parts = ["area", "over", "tiny", "inner", "k", "l", "a", "z", "small", "baz"];
    for (language, path, text, least) in [
        ("rust", "a.rs", texts::RUST, 17),
        ("python", "b.py", texts::PYTHON, 6),
        ("javascript", "g.js", texts::JAVASCRIPT, 6),
        ("typescript", "c.ts", texts::TYPESCRIPT, 7),
        ("tsx", "d.tsx", texts::TSX, 2),
        ("java", "f.java", texts::JAVA, 4),
        ("go", "e.go", texts::GO, 6),
    ] {
        let found = chunk(path, text).chunks;
        let tagged = tagged(language, text);
        assert!(tagged.len() >= least, "{language}: {tagged:?}");
        for name in tagged.iter().filter(|name| !parts.contains(&name.as_str())) {
            assert!(
                found.iter().any(|chunk| chunk.name.as_ref() == Some(name)) || name == "other",
                "{language}: {name}"
            );
        }
    }
}
