//! The split of a repository into tasks: ranges of its files that follow each other.

use std::path::{Path, PathBuf};

use crate::worker::inventory::Order;
use crate::worker::walk::{Range, files};

/// Most tasks of a job, so that one page of a query holds them all.
const MAX_TASKS: usize = 96;
/// Fewest tasks of a job, if there are as many files.
const MIN_TASKS: usize = 24;
/// Files of a task in a repository of middle size.
const FILES_PER_TASK: usize = 8;

/// Why there is nothing to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// Not a folder.
    #[error("{} is no folder that can be read ({error}); name another PATH", path.display())]
    Folder {
        /// What was named.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// No files.
    #[error("{} holds no files that its ignore rules leave; name another PATH", path.display())]
    Empty {
        /// What was named.
        path: PathBuf,
    },
    /// The walk.
    #[error("the repository cannot be walked: {0}")]
    Walk(#[from] ignore::Error),
    /// The thread that planned ended.
    #[error("planning broke off: {0}")]
    Broken(String),
}

/// A repository in parts.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Absolute path.
    pub(crate) repo: PathBuf,
    /// Its files, in order.
    pub(crate) files: Vec<PathBuf>,
    /// Title and order of each task.
    pub(crate) orders: Vec<(String, Order)>,
}

/// Splits `repo` into tasks of about equally many files.
///
/// # Errors
/// [`PlanError`].
pub(crate) fn make(repo: &Path) -> Result<Plan, PlanError> {
    let folder = |error| PlanError::Folder { path: repo.to_owned(), error };
    let repo = repo.canonicalize().map_err(folder)?;
    std::fs::read_dir(&repo).map_err(folder)?;
    let found: Vec<_> = files(&repo, Range::default()).collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(PlanError::Empty { path: repo });
    }
    Ok(Plan { orders: split(&repo, &found), files: found, repo })
}

fn split(repo: &Path, found: &[PathBuf]) -> Vec<(String, Order)> {
    let tasks = (found.len() / FILES_PER_TASK).clamp(MIN_TASKS, MAX_TASKS).min(found.len());
    // A boundary travels as JSON, so it must be a name that JSON can hold.
    let mut starts: Vec<_> = (0..tasks).map(|task| task * found.len() / tasks).collect();
    starts.retain(|start| *start == 0 || found[*start].to_str().is_some());
    let order = |task: usize| {
        let (start, end) = (starts[task], starts.get(task + 1).copied());
        let order = Order {
            repo: repo.to_owned(),
            from: (start > 0).then(|| found[start].clone()),
            until: end.map(|end| found[end].clone()),
            files: (end.unwrap_or(found.len()) - start) as u64,
            max_files_per_second: None,
        };
        (format!("{} and {} more", found[start].to_string_lossy(), order.files - 1), order)
    };
    (0..starts.len()).map(order).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<PathBuf> {
        (0..count).map(|n| PathBuf::from(format!("f{n:05}"))).collect()
    }

    #[test]
    fn the_parts_follow_each_other_and_hold_every_file_once() {
        for count in [1, 2, 23, 24, 25, 500, 10_000] {
            let found = names(count);
            let orders = split(Path::new("/r"), &found);
            assert!(
                orders.len() <= MAX_TASKS && orders.len() >= MIN_TASKS.min(count),
                "{count}: {}",
                orders.len()
            );
            assert_eq!(orders.iter().map(|(_, order)| order.files).sum::<u64>(), count as u64);
            assert_eq!((&orders[0].1.from, &orders[orders.len() - 1].1.until), (&None, &None));
            assert!(
                orders.windows(2).all(|pair| pair[0].1.until == pair[1].1.from),
                "a gap between two parts"
            );
        }
    }

    #[test]
    fn a_folder_that_is_none_is_named() {
        let error = make(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all") && error.contains("PATH"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(make(empty.path()), Err(PlanError::Empty { .. })));
    }
}
