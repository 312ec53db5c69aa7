//! Every dependency comes from the registry under a permissive licence.

use super::sources::root;

/// Licences that may be used; a package offers at least one way to choose among them.
const PERMISSIVE: [&str; 13] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "Unicode-3.0",
    "Unlicense",
    "MIT-0",
    "CDLA-Permissive-2.0",
];

fn permissive(expression: &str) -> bool {
    let expression =
        spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX).expect("an SPDX expression");
    expression.evaluate(|needed| needed.license.id().is_some_and(|id| PERMISSIVE.contains(&id.name)))
}

#[test]
fn licences_are_permissive_and_sources_are_the_registry() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        // Not offline: the build fetches only what this platform needs, the lock file names them all.
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata reads the workspace and the lock file");
    assert!(metadata.packages.len() > 200, "the whole tree is looked at");
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let source = package.source.as_ref().expect("filtered above");
        assert!(source.is_crates_io(), "{} comes from {source}", package.name);
        let licence = package.license.as_deref().unwrap_or_default();
        assert!(
            !licence.is_empty() && permissive(licence),
            "{} {}: {licence:?}",
            package.name,
            package.version
        );
    }
}

#[test]
fn a_copyleft_licence_is_refused() {
    assert!(permissive("MIT OR GPL-3.0-only") && permissive("Apache-2.0 WITH LLVM-exception"));
    assert!(!permissive("MPL-2.0") && !permissive("MIT AND AGPL-3.0-only"));
}
