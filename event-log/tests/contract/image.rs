//! Directories of closed or crashed logs, to be damaged.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use event_log::{Log, OpenError, ReadError, Start};
use tempfile::TempDir;

use super::support::{SHARDS, append, claim, numbers, options, quick_dir, small};

/// A log of which every proven commit is known.
pub(crate) struct Image {
    pub(crate) dir: TempDir,
    /// Per shard the numbers of its commits.
    pub(crate) commits: Vec<Vec<u64>>,
}

/// What became of an image.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is refused.
    Refused(String),
    /// It was read to the end: per shard the numbers of its commits.
    Read(Vec<Vec<u64>>),
}

impl Image {
    /// A closed log: per shard a claim, then `rounds` rounds of one commit each, the shards in turn.
    /// Its `end` mark is exact, or that of the new log if `old_end` (as after a crash in its first second).
    pub(crate) async fn new(rounds: u64, old_end: bool) -> Self {
        let dir = quick_dir();
        let log = Log::open(options(dir.path())).unwrap();
        let end = fs::read(dir.path().join("end")).unwrap();
        let mut owners = Vec::new();
        for shard in 0..SHARDS {
            owners.push(claim(&log, shard).await.ownership);
        }
        let mut commits = vec![Vec::new(); usize::from(SHARDS)];
        for n in 1..=rounds {
            let shard = usize::try_from(n).unwrap() % usize::from(SHARDS);
            append(&log, &mut owners[shard], [n]).await;
            commits[shard].push(n);
        }
        drop(log);
        if old_end {
            fs::write(dir.path().join("end"), end).unwrap();
        }
        Self { dir, commits }
    }

    /// A copy in which one file is changed.
    pub(crate) fn with(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
        let copy = copy(self.dir.path());
        let path = copy.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
        copy
    }

    pub(crate) fn segment(&self, number: u64) -> Vec<u8> {
        fs::read(self.dir.path().join(segment(number))).unwrap()
    }

    /// Where the frame of commit `n` stands in segment 1.
    pub(crate) fn frame(&self, n: u64) -> Range<usize> {
        frame(&self.segment(1), n)
    }
}

pub(crate) fn segment(number: u64) -> String {
    format!("segment-{number:08}.log")
}

/// Where the frame of commit `n` stands in `bytes`.
pub(crate) fn frame(bytes: &[u8], n: u64) -> Range<usize> {
    let text = format!("{{\"command\":{{\"id\":\"{n}\"");
    let value = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let start = value - "test/task/one".len() - 33 - 32;
    let length = u32::from_le_bytes(*bytes[start..].first_chunk().unwrap()) as usize;
    start..start + length
}

pub(crate) fn copy(from: &Path) -> TempDir {
    let to = quick_dir();
    for file in files(from) {
        fs::copy(&file, to.path().join(file.file_name().unwrap())).unwrap();
    }
    to
}

pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Reads every shard of `log` from its beginning.
pub(crate) async fn read(log: &Log) -> Result<Vec<Vec<u64>>, ReadError> {
    let mut commits = Vec::new();
    for shard in 0..SHARDS {
        let mut reader = log.reader(Start::Beginning(shard)).await?;
        let mut all = Vec::new();
        loop {
            let counted = reader.next(1_000).await?;
            if counted.is_empty() {
                break;
            }
            all.extend(counted);
        }
        commits.push(numbers(&all));
    }
    Ok(commits)
}

/// Opens a directory and reads all of it.
pub(crate) async fn outcome(dir: &Path) -> Outcome {
    match Log::open(small(dir)) {
        Err(error) => Outcome::Refused(error.to_string()),
        Ok(log) => match read(&log).await {
            Err(error) => Outcome::Refused(error.to_string()),
            Ok(commits) => Outcome::Read(commits),
        },
    }
}

/// The message with which a directory is refused.
pub(crate) fn refusal(dir: &Path) -> String {
    let error: OpenError = Log::open(options(dir)).expect_err("it was opened");
    error.to_string()
}
