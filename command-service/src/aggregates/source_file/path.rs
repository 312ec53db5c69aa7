//! Paths within a repository: the same text names the same file on every machine, and none leads out of it.

/// What is wrong with a path, in words; `None` when it may stand.
pub(super) fn problem(path: &str) -> Option<String> {
    if path.chars().any(char::is_control) {
        return Some("a path must not contain control characters".into());
    }
    if path.contains('\\') {
        return Some("the parts of a path are separated by '/', not by '\\'".into());
    }
    let wrong = path.split('/').find(|part| matches!(*part, "" | "." | ".."))?;
    Some(format!("a path is relative to the repository's root, and {wrong:?} is none of its parts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// KNOW-1: tricks of paths are refused, and told.
    #[test]
    fn a_path_stays_within_its_repository() {
        for fits in ["a", "src/main.rs", ".gitignore", "a b/ü.md", "...", "a/..b"] {
            assert_eq!(problem(fits), None, "{fits}");
        }
        for wrong in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\\b", "a\nb", "a\u{0}"] {
            assert!(problem(wrong).is_some(), "{wrong:?}");
        }
    }
}
