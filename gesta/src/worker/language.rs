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

/// What a file whose type is not in the table counts as.
const OTHER: &str = "other";

/// Name of the file's type, for example `rust`.
pub(super) fn language(path: &Path) -> String {
    let matched = TYPES.matched(path, false);
    let definition = matched.inner().and_then(|glob| glob.file_type_def());
    definition.map_or(OTHER, |definition| definition.name()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_language() {
        for (path, name) in [
            ("src/a.rs", "rust"),
            ("go.mod/x.go", "go"),
            ("b.java", "java"),
            ("a.md", "markdown"),
            ("README.md", "markdown"),
            ("package-lock.json", "json"),
            ("LOG.xyz", OTHER),
        ] {
            assert_eq!(language(Path::new(path)), name, "{path}");
        }
    }
}
