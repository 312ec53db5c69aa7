//! TypeScript, with and without JSX: what JavaScript has, and types.

use tree_sitter::Node;

use super::javascript::{self, OPAQUE, function, import, test_path};
use crate::worker::code::ChunkKind;
use crate::worker::code::grammar::{Spec, plainly};

pub(super) static SPEC: Spec = BOTH;

pub(super) static TSX: Spec = Spec { language: || tree_sitter_typescript::LANGUAGE_TSX.into(), ..BOTH };

const BOTH: Spec = Spec {
    language: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
    kind,
    separator: ".",
    line_comment: "//",
    inner_comments: &[],
    attributes: &["decorator"],
    wrappers: &[
        "export_statement",
        "lexical_declaration",
        "variable_declaration",
        "expression_statement",
        "ambient_declaration",
    ],
    opaque: OPAQUE,
    import,
    naming: plainly,
    test_path,
    test_mark: |_| false,
};

fn kind(node: Node<'_>) -> Option<ChunkKind> {
    Some(match node.kind() {
        "abstract_class_declaration" => ChunkKind::ClassDef,
        "interface_declaration" => ChunkKind::InterfaceDef,
        "type_alias_declaration" | "enum_declaration" => ChunkKind::TypeDef,
        "function_signature" => ChunkKind::FunctionDef,
        "public_field_definition" => function(node.child_by_field_name("value")?)?,
        "module" | "internal_module" => ChunkKind::Other,
        _ => return javascript::kind(node),
    })
}
