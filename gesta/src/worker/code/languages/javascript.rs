//! JavaScript with JSX.

use tree_sitter::Node;

use super::names;
use crate::worker::code::ChunkKind;
use crate::worker::code::grammar::{Spec, plainly};

/// Nodes whose definitions are inner ones.
pub(super) const OPAQUE: &[&str] = &[
    "function_declaration",
    "function_expression",
    "generator_function",
    "generator_function_declaration",
    "arrow_function",
    "method_definition",
    "object",
];

pub(super) static SPEC: Spec = Spec {
    language: || tree_sitter_javascript::LANGUAGE.into(),
    kind,
    separator: ".",
    line_comment: "//",
    inner_comments: &[],
    attributes: &["decorator"],
    wrappers: &["export_statement", "lexical_declaration", "variable_declaration", "expression_statement"],
    opaque: OPAQUE,
    import,
    naming: plainly,
    test_path,
    test_mark: |_| false,
};

pub(super) fn kind(node: Node<'_>) -> Option<ChunkKind> {
    // A key word is a node of the kind that it begins, and has no name.
    Some(match node.kind() {
        "class" | "class_declaration" => ChunkKind::ClassDef,
        "function_declaration"
        | "function_expression"
        | "generator_function"
        | "generator_function_declaration"
        | "method_definition" => ChunkKind::FunctionDef,
        "variable_declarator" | "field_definition" | "pair" => function(node.child_by_field_name("value")?)?,
        "assignment_expression" => function(node.child_by_field_name("right")?)?,
        _ => return None,
    })
}

/// Whether a value is a function, or one wrapped in a call: `memo(() => …)`.
pub(super) fn function(value: Node<'_>) -> Option<ChunkKind> {
    let value = match value.kind() {
        "call_expression" => value.child_by_field_name("arguments")?.named_child(0)?,
        _ => value,
    };
    matches!(value.kind(), "arrow_function" | "function_expression").then_some(ChunkKind::FunctionDef)
}

pub(super) fn import(node: Node<'_>) -> bool {
    match node.kind() {
        "import_statement" => true,
        "export_statement" => node.child_by_field_name("source").is_some(),
        _ => false,
    }
}

pub(super) fn test_path(path: &str) -> bool {
    let (file, mut folders) = names(path);
    file.contains(".test.")
        || file.contains(".spec.")
        || folders.any(|folder| matches!(folder, "test" | "tests" | "__tests__"))
}
