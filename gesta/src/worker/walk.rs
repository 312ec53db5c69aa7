//! The files of a repository, in one order, with its ignore rules; a task names a range of them.

use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

/// A range of paths below a repository: from one, inclusive, to another, exclusive.
///
/// Ranges that follow each other cover every file exactly once, also files that came later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Range {
    /// First path; absent = from the beginning.
    pub(crate) from: Option<PathBuf>,
    /// First path that is no longer part; absent = to the end.
    pub(crate) until: Option<PathBuf>,
}

impl Range {
    fn holds(&self, path: &Path) -> bool {
        self.from.as_deref().is_none_or(|from| path >= from)
            && self.until.as_deref().is_none_or(|until| path < until)
    }

    /// Whether anything below the folder `path` can be part.
    fn touches(&self, path: &Path) -> bool {
        // Everything below a folder sorts behind it and before its next sibling.
        self.until.as_deref().is_none_or(|until| path < until)
            && self.from.as_deref().is_none_or(|from| path >= from || from.starts_with(path))
    }
}

/// The regular files of `range` below `repo`, sorted, with their paths relative to it. Files that
/// git would ignore, `.git` itself and whatever is no regular file are left out.
pub(crate) fn files(repo: &Path, range: Range) -> impl Iterator<Item = Result<PathBuf, ignore::Error>> {
    let root = repo.to_owned();
    let (below, folders) = (root.clone(), range.clone());
    let relative = |root: &Path, path: &Path| path.strip_prefix(root).map(Path::to_owned).unwrap_or_default();
    let walk = WalkBuilder::new(repo)
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .filter_entry(move |entry: &DirEntry| {
            let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            entry.file_name() != ".git" && (!folder || folders.touches(&relative(&below, entry.path())))
        })
        .build();
    walk.filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
            let path = relative(&root, entry.path());
            range.holds(&path).then_some(Ok(path))
        }
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "a/x.rs",
            "a/y.rs",
            "a-b/z.rs",
            "a.rs",
            "b/c/d.py",
            "b/e",
            "target/junk",
            ".git/config",
            ".ci/run",
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "one\ntwo\n").unwrap();
        }
        fs::write(dir.path().join(".gitignore"), "target/\n").unwrap();
        dir
    }

    fn list(dir: &Path, range: Range) -> Vec<PathBuf> {
        files(dir, range).map(Result::unwrap).collect()
    }

    #[test]
    fn ignored_files_and_git_itself_are_left_out() {
        let dir = tree();
        let all = list(dir.path(), Range::default());
        assert!(all.is_sorted(), "{all:?}");
        let names: Vec<_> = all.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            names,
            [".ci/run", ".gitignore", "a/x.rs", "a/y.rs", "a-b/z.rs", "a.rs", "b/c/d.py", "b/e"]
        );
    }

    #[test]
    fn ranges_cut_anywhere_hold_every_file_once() {
        let dir = tree();
        let all = list(dir.path(), Range::default());
        for first in 0..all.len() {
            for second in first..all.len() {
                let cuts = [None, Some(all[first].clone()), Some(all[second].clone()), None];
                let parts = cuts
                    .windows(2)
                    .flat_map(|cut| list(dir.path(), Range { from: cut[0].clone(), until: cut[1].clone() }));
                assert_eq!(parts.collect::<Vec<_>>(), all, "cut at {first} and {second}");
            }
        }
    }
}
