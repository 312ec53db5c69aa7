//! The work itself: counting the files, lines, bytes and languages of a part of a repository.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::code::{BINARY_LOOK_BYTES, is_binary};
use super::language::language;
use super::walk::{Range, files};
use super::work::{Gauge, WorkError, order};

/// Largest files that a result names.
const MAX_LARGEST: usize = 10;
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// What a file whose language is unknown counts as.
const OTHER: &str = "other";

/// Input of an `inventory` task.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    /// Absolute path of the repository.
    pub(crate) repo: PathBuf,
    /// First path, relative to the repository; absent = from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<PathBuf>,
    /// First path that is no longer part; absent = to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<PathBuf>,
    /// How many files to expect; progress is measured by it.
    #[serde(default)]
    pub(crate) files: u64,
    /// Most files read per second; absent = as fast as they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_files_per_second: Option<f64>,
}

/// Result of an `inventory` task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inventory {
    /// Files read.
    pub(crate) files: u64,
    /// Of those, files that are not text.
    pub(crate) binary_files: u64,
    /// Files that could not be read.
    pub(crate) unreadable_files: u64,
    /// Lines of the text files.
    pub(crate) lines: u64,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// Per language of the text files.
    pub(crate) languages: BTreeMap<String, Share>,
    /// The largest files, largest first.
    pub(crate) largest: Vec<Large>,
}

/// What a language has of the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// Files.
    pub(crate) files: u64,
    /// Lines.
    pub(crate) lines: u64,
}

/// A large file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Large {
    /// Bytes.
    pub(crate) bytes: u64,
    /// Path relative to the repository.
    pub(crate) path: String,
}

/// Takes the inventory that a payload orders, on this thread.
pub(super) fn perform(payload: &Map<String, Value>, gauge: &Gauge) -> Result<Inventory, WorkError> {
    take(&order(payload)?, gauge)
}

fn take(order: &Order, gauge: &Gauge) -> Result<Inventory, WorkError> {
    std::fs::read_dir(&order.repo).map_err(|error| WorkError::Repo { repo: order.repo.clone(), error })?;
    let mut inventory = Inventory::default();
    let mut due = Instant::now();
    let range = Range { from: order.from.clone(), until: order.until.clone() };
    for path in files(&order.repo, range) {
        due += order
            .max_files_per_second
            .filter(|rate| *rate > 0.0)
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        gauge.await_turn(due)?;
        inventory.add(&order.repo, &path.map_err(WorkError::Walk)?);
        gauge.reach(inventory.files, order.files);
    }
    Ok(inventory)
}

impl Inventory {
    /// Counts one file. One that vanished or may not be read is counted as such: the rest is still right.
    fn add(&mut self, repo: &Path, path: &Path) {
        let full = repo.join(path);
        let Ok((bytes, lines)) = measure(&full) else {
            self.unreadable_files += 1;
            return;
        };
        self.files += 1;
        self.bytes += bytes;
        self.enlarge(Large { bytes, path: path.to_string_lossy().into_owned() });
        let Some(lines) = lines else {
            self.binary_files += 1;
            return;
        };
        self.lines += lines;
        let share = self.languages.entry(language(path).unwrap_or(OTHER).to_owned()).or_default();
        share.files += 1;
        share.lines += lines;
    }

    fn enlarge(&mut self, file: Large) {
        let place = self.largest.partition_point(|other| other.bytes >= file.bytes);
        if place < MAX_LARGEST {
            self.largest.insert(place, file);
            self.largest.truncate(MAX_LARGEST);
        }
    }

    /// Adds the counts of another part.
    pub(crate) fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.binary_files += other.binary_files;
        self.unreadable_files += other.unreadable_files;
        self.lines += other.lines;
        self.bytes += other.bytes;
        for (name, share) in other.languages {
            let sum = self.languages.entry(name).or_default();
            sum.files += share.files;
            sum.lines += share.lines;
        }
        other.largest.into_iter().for_each(|file| self.enlarge(file));
    }
}

/// Bytes of a file and, if it is text, its lines; a last line without an end counts too.
fn measure(path: &Path) -> io::Result<(u64, Option<u64>)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let (mut bytes, mut lines, mut last, mut text) = (0_u64, 0_u64, b'\n', true);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(end) = buffer[..read].last() else { break };
        let look = BINARY_LOOK_BYTES.saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX)).min(read);
        text = text && !is_binary(&buffer[..look]);
        lines += buffer[..read].iter().map(|octet| u64::from(*octet == b'\n')).sum::<u64>();
        bytes += read as u64;
        last = *end;
    }
    Ok((bytes, text.then_some(lines + u64::from(last != b'\n'))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::atomic::Ordering;

    #[test]
    fn files_lines_languages_and_sizes_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.rs"), "fn a() {}\n// end").unwrap();
        std::fs::write(dir.path().join("b.py"), "x = 1\n").unwrap();
        std::fs::write(dir.path().join("c.bin"), [0_u8, 1, 2, 10, 10]).unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        let payload = json!({ "repo": dir.path(), "files": 4 });
        let gauge = Gauge::default();
        let found = perform(payload.as_object().unwrap(), &gauge).unwrap();
        assert_eq!((found.files, found.binary_files, found.lines, found.bytes), (4, 1, 3, 27));
        assert_eq!(found.languages["rust"], Share { files: 1, lines: 2 });
        assert_eq!(found.languages["other"], Share { files: 1, lines: 0 });
        assert_eq!(found.largest[0].path, "a.rs");
        assert_eq!(gauge.progress.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let large = |bytes, path: &str| Large { bytes, path: path.into() };
        let mut sum = Inventory { files: 1, largest: vec![large(5, "a")], ..Inventory::default() };
        sum.merge(Inventory {
            files: 2,
            largest: vec![large(9, "b"), large(1, "c")],
            ..Inventory::default()
        });
        assert_eq!(sum.files, 3);
        assert_eq!(sum.largest, [large(9, "b"), large(5, "a"), large(1, "c")]);
    }

    #[test]
    fn a_wrong_payload_is_not_tried_again() {
        let gauge = Gauge::default();
        let empty = perform(&Map::new(), &gauge).unwrap_err();
        assert!(!empty.retriable());
        assert!(empty.to_string().contains("repo"), "{empty}");
        let gone = json!({ "repo": "/nowhere" });
        let gone = perform(gone.as_object().unwrap(), &gauge).unwrap_err();
        assert!(gone.retriable() && gone.to_string().contains("/nowhere"), "{gone}");
    }
}
