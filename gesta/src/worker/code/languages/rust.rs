//! Rust.

use tree_sitter::Node;

use super::names;
use crate::worker::code::ChunkKind;
use crate::worker::code::grammar::{Naming, Spec, plainly};

/// Attributes of functions that are run as tests, by the last name of their path.
const TEST_ATTRIBUTES: [&str; 3] = ["test", "rstest", "bench"];

pub(super) static SPEC: Spec = Spec {
    language: || tree_sitter_rust::LANGUAGE.into(),
    kind,
    separator: "::",
    line_comment: "//",
    inner_comments: &["//!", "/*!"],
    attributes: &["attribute_item"],
    wrappers: &[],
    opaque: &["function_item", "closure_expression"],
    import,
    naming,
    test_path: |path| names(path).1.any(|folder| folder == "tests"),
    test_mark,
};

fn kind(node: Node<'_>) -> Option<ChunkKind> {
    Some(match node.kind() {
        "struct_item" | "union_item" | "impl_item" => ChunkKind::ClassDef,
        "enum_item" | "type_item" => ChunkKind::TypeDef,
        "trait_item" => ChunkKind::InterfaceDef,
        "function_item" | "macro_definition" => ChunkKind::FunctionDef,
        "mod_item" => ChunkKind::Other,
        _ => return None,
    })
}

fn import(node: Node<'_>) -> bool {
    match node.kind() {
        "use_declaration" | "extern_crate_declaration" => true,
        "mod_item" => node.child_by_field_name("body").is_none(),
        _ => false,
    }
}

/// Members are in the scope of the type, whatever trait they implement.
fn naming(node: Node<'_>, text: &str, name: &str) -> Naming {
    if node.kind() != "impl_item" {
        return plainly(node, text, name);
    }
    let simple = |path: &str| {
        let path = path.split('<').next().unwrap_or_default().trim();
        path.rsplit("::").next().unwrap_or_default().to_owned()
    };
    let inner = simple(name);
    let name = match node.child_by_field_name("trait") {
        Some(implemented) => format!("{} for {inner}", simple(&text[implemented.byte_range()])),
        None => inner.clone(),
    };
    Naming { name, outer: None, inner }
}

fn test_mark(header: &str) -> bool {
    header.lines().filter_map(|line| line.trim().strip_prefix("#[")).any(|attribute| {
        let path = attribute.split(['(', ']', '=']).next().unwrap_or_default().trim();
        let last = path.rsplit("::").next().unwrap_or_default();
        TEST_ATTRIBUTES.contains(&last)
            || attribute.starts_with("cfg(test)")
            || attribute.starts_with("cfg(all(test,")
    })
}
