//! Python.

use tree_sitter::Node;

use super::names;
use crate::worker::code::ChunkKind;
use crate::worker::code::grammar::{Spec, plainly};

pub(super) static SPEC: Spec = Spec {
    language: || tree_sitter_python::LANGUAGE.into(),
    kind,
    separator: ".",
    line_comment: "#",
    inner_comments: &[],
    attributes: &["decorator"],
    wrappers: &["decorated_definition"],
    opaque: &["function_definition", "lambda"],
    import: |node| {
        matches!(node.kind(), "import_statement" | "import_from_statement" | "future_import_statement")
    },
    naming: plainly,
    test_path: |path| {
        let (file, mut folders) = names(path);
        file.starts_with("test_")
            || file.ends_with("_test.py")
            || file == "conftest.py"
            || folders.any(|folder| matches!(folder, "tests" | "test"))
    },
    test_mark: |header| header.contains("def test_"),
};

fn kind(node: Node<'_>) -> Option<ChunkKind> {
    Some(match node.kind() {
        "class_definition" => ChunkKind::ClassDef,
        "function_definition" => ChunkKind::FunctionDef,
        "type_alias_statement" => ChunkKind::TypeDef,
        _ => return None,
    })
}
