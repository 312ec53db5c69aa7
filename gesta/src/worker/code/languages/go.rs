//! Go.

use tree_sitter::Node;

use crate::worker::code::ChunkKind;
use crate::worker::code::grammar::{Naming, Spec, plainly};

pub(super) static SPEC: Spec = Spec {
    language: || tree_sitter_go::LANGUAGE.into(),
    kind,
    separator: ".",
    line_comment: "//",
    inner_comments: &[],
    attributes: &[],
    wrappers: &["type_declaration"],
    opaque: &["function_declaration", "method_declaration", "func_literal"],
    import: |node| matches!(node.kind(), "import_declaration" | "package_clause"),
    naming,
    test_path: |path| path.ends_with("_test.go"),
    test_mark: |_| false,
};

fn kind(node: Node<'_>) -> Option<ChunkKind> {
    Some(match node.kind() {
        "function_declaration" | "method_declaration" => ChunkKind::FunctionDef,
        "type_alias" => ChunkKind::TypeDef,
        "type_spec" => match node.child_by_field_name("type")?.kind() {
            "struct_type" => ChunkKind::ClassDef,
            "interface_type" => ChunkKind::InterfaceDef,
            _ => ChunkKind::TypeDef,
        },
        _ => return None,
    })
}

/// A method is in the scope of its receiver's type.
fn naming(node: Node<'_>, text: &str, name: &str) -> Naming {
    let receiver = node.child_by_field_name("receiver").map(|receiver| {
        let inside =
            text[receiver.byte_range()].trim_matches(['(', ')']).split('[').next().unwrap_or_default();
        inside.split_whitespace().last().unwrap_or_default().trim_start_matches('*').to_owned()
    });
    Naming { outer: receiver, ..plainly(node, text, name) }
}
