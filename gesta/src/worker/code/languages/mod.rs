//! The languages whose definitions are found, one file each.

mod go;
mod java;
mod javascript;
mod python;
mod rust;
mod typescript;

use std::sync::LazyLock;

use super::grammar::Grammar;

/// A grammar that is made ready when it is first needed.
type Lazy = LazyLock<Grammar>;

static GO: Lazy = Lazy::new(|| Grammar::new(&go::SPEC));
static JAVA: Lazy = Lazy::new(|| Grammar::new(&java::SPEC));
static JAVASCRIPT: Lazy = Lazy::new(|| Grammar::new(&javascript::SPEC));
static PYTHON: Lazy = Lazy::new(|| Grammar::new(&python::SPEC));
static RUST: Lazy = Lazy::new(|| Grammar::new(&rust::SPEC));
static TSX: Lazy = Lazy::new(|| Grammar::new(&typescript::TSX));
static TYPESCRIPT: Lazy = Lazy::new(|| Grammar::new(&typescript::SPEC));

/// The grammar of a language, by the name that the table of file types gives it.
pub(super) fn grammar(language: &str) -> Option<&'static Grammar> {
    Some(match language {
        "go" => &GO,
        "java" => &JAVA,
        "javascript" => &JAVASCRIPT,
        "python" => &PYTHON,
        "rust" => &RUST,
        "tsx" => &TSX,
        "typescript" => &TYPESCRIPT,
        _ => return None,
    })
}

/// Name of the file and of the folders above it.
fn names(path: &str) -> (&str, impl Iterator<Item = &str>) {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    (file, folders.split('/'))
}
