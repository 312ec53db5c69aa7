//! The Rust sources of the workspace, read once, with what they declare.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use syn::visit::Visit;

/// One source file.
pub(crate) struct Source {
    /// Path from the workspace's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// What the text declares.
    pub(crate) declared: Declared,
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").into()
}

const CRATES: [&str; 8] =
    ["schemas", "event-log", "command-service", "migrations", "projectors", "query-api", "gesta", "tests"];

/// Every `.rs` file below the crates.
pub(crate) static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut sources = Vec::new();
    for krate in CRATES {
        collect(&root().join(krate), &mut sources);
    }
    assert!(sources.len() > 50, "only {} sources were found", sources.len());
    // A folder gives its files in another order on every disk; the page made of them has one.
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
});

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
            let tree = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let path =
                path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
            sources.push(Source { path, text, declared: declared(&tree) });
        }
    }
}

/// What a tree declares.
#[derive(Default)]
pub(crate) struct Declared {
    /// Name and length in lines of every function with a body.
    pub(crate) functions: Vec<(String, usize)>,
    /// Names of the traits that are `pub`.
    pub(crate) public_traits: Vec<String>,
    /// Names of the `macro_rules!`.
    pub(crate) macros: Vec<String>,
}

/// Lists what `tree` declares.
pub(crate) fn declared(tree: &syn::File) -> Declared {
    let mut declared = Declared::default();
    declared.visit_file(tree);
    declared
}

impl Declared {
    fn function(&mut self, name: &syn::Ident, block: &syn::Block) {
        let braces = block.brace_token.span;
        let lines = braces.close().end().line - name.span().start().line + 1;
        self.functions.push((name.to_string(), lines));
    }
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig.ident, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig.ident, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if matches!(item.vis, syn::Visibility::Public(_)) {
            self.public_traits.push(item.ident.to_string());
        }
        syn::visit::visit_item_trait(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let (true, Some(name)) = (item.mac.path.is_ident("macro_rules"), &item.ident) {
            self.macros.push(name.to_string());
        }
    }
}
