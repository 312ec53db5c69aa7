//! The language of a file, by its name, as the walker's own table of file types has it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

use ignore::types::{Types, TypesBuilder};

/// Types of the table that say what a file is for, not in what it is written.
const NO_LANGUAGES: [&str; 3] = ["license", "lock", "readme"];

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let mut defaults = TypesBuilder::new();
    defaults.add_defaults();
    let mut known = defaults.definitions();
    known.retain(|definition| !NO_LANGUAGES.contains(&definition.name()));
    known.sort_by(|one, other| one.name().cmp(other.name()));
    // The table has several names for one pattern (`markdown`, `md`); the first counts, so that every
    // worker says the same.
    let (mut builder, mut seen) = (TypesBuilder::new(), HashSet::new());
    for definition in &known {
        let new = definition.globs().iter().filter(|glob| seen.insert((*glob).clone())).collect::<Vec<_>>();
        for glob in &new {
            builder.add(definition.name(), glob).expect("the library's own table is well-formed");
        }
        if !new.is_empty() {
            builder.select(definition.name());
        }
    }
    builder.build().expect("the library's own table is well-formed")
});

/// Full names of what the table abbreviates.
const FULL_NAMES: [(&str, &str); 3] = [("js", "javascript"), ("py", "python"), ("ts", "typescript")];
/// Endings that are a language of their own, not the one in whose row they are.
const OWN_LANGUAGES: [&str; 2] = ["tsx", "vue"];

/// Name of the file's type, for example `rust`; `None` if the table does not have it.
pub(super) fn language(path: &Path) -> Option<&'static str> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if let Some(own) = OWN_LANGUAGES.iter().find(|own| **own == ending) {
        return Some(own);
    }
    let matched = TYPES.matched(path, false);
    let found = matched.inner()?.file_type_def()?.name();
    let name = TYPES.definitions().iter().map(|definition| definition.name()).find(|name| *name == found)?;
    FULL_NAMES.iter().find(|(short, _)| *short == name).map_or(Some(name), |(_, full)| Some(full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_language() {
        for (path, name) in [
            ("src/a.rs", Some("rust")),
            ("go.mod/x.go", Some("go")),
            ("b.java", Some("java")),
            ("b.py", Some("python")),
            ("b.mjs", Some("javascript")),
            ("b.jsx", Some("javascript")),
            ("b.ts", Some("typescript")),
            ("b.tsx", Some("tsx")),
            ("a.md", Some("markdown")),
            ("README.md", Some("markdown")),
            ("README.rst", Some("rst")),
            ("package-lock.json", Some("json")),
            ("LOG.xyz", None),
        ] {
            assert_eq!(language(Path::new(path)), name, "{path}");
        }
    }
}
