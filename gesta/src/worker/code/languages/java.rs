//! Java.

use tree_sitter::Node;

use super::names;
use crate::worker::code::ChunkKind;
use crate::worker::code::grammar::{Spec, plainly};

pub(super) static SPEC: Spec = Spec {
    language: || tree_sitter_java::LANGUAGE.into(),
    kind,
    separator: ".",
    line_comment: "//",
    inner_comments: &[],
    attributes: &[],
    wrappers: &[],
    opaque: &[
        "method_declaration",
        "constructor_declaration",
        "compact_constructor_declaration",
        "lambda_expression",
        "object_creation_expression",
    ],
    import: |node| matches!(node.kind(), "import_declaration" | "package_declaration"),
    naming: plainly,
    test_path: |path| {
        let (file, mut folders) = names(path);
        folders.any(|folder| folder == "test") || file.ends_with("Test.java") || file.ends_with("Tests.java")
    },
    test_mark: |header| header.split_whitespace().any(|word| word.starts_with('@') && word.ends_with("Test")),
};

/// Methods without a body stay with their interface or class.
fn kind(node: Node<'_>) -> Option<ChunkKind> {
    Some(match node.kind() {
        "class_declaration" | "record_declaration" => ChunkKind::ClassDef,
        "interface_declaration" | "annotation_type_declaration" => ChunkKind::InterfaceDef,
        "enum_declaration" => ChunkKind::TypeDef,
        "method_declaration" if node.child_by_field_name("body").is_none() => return None,
        "method_declaration" | "constructor_declaration" | "compact_constructor_declaration" => {
            ChunkKind::FunctionDef
        }
        _ => return None,
    })
}
