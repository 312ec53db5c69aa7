//! The files of a log's directory: `lock`, `end`, `segment-00000001.log`, `segment-00000001.index`, …

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::header::{ALIGN_BYTES, BadHeader, Header, MAX_HEADER_BYTES};
use super::options::OpenError;
use crate::reader::ReadError;

const LOCK: &str = "lock";
const END: &str = "end";
const TEMPORARY: &str = "segment.tmp";
/// How long a lock that another process holds is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// The path of a segment.
pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment-{number:08}.log"))
}

/// The path of a sealed segment's index.
pub(super) fn index_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment-{number:08}.index"))
}

/// An [`OpenError`] for a failed action on a path.
pub(super) fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.display().to_string();
    move |error| OpenError::Io { path, action, error }
}

/// Damage of a file at a byte.
pub(super) fn damaged(path: &Path, position: u64, problem: impl Into<String>) -> ReadError {
    ReadError::Damaged { file: path.display().to_string(), position, problem: problem.into() }
}

/// A [`ReadError`] for a file that the system does not let us read.
pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
    let file = path.display().to_string();
    move |error| ReadError::Io { file, error: Arc::new(error) }
}

/// Takes the directory for this process; the lock lasts as long as the file is open. Without
/// `create` the directory must hold a log (a copy of one may lack the lock file itself). A holder that
/// is just ending, or a child that it forked and that has not begun its own program yet, is waited for.
pub(super) fn lock(dir: &Path, create: bool) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    if !create && !segment_path(dir, 1).exists() {
        return Err(OpenError::NoLog { dir: dir.display().to_string() });
    }
    let mut options = OpenOptions::new();
    options.read(true);
    if create || !path.exists() {
        options.write(true).create(true).truncate(false);
    }
    let file = options.open(&path).map_err(failed(&path, "opening"))?;
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < patience => std::thread::sleep(LOCK_POLL),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { dir: dir.display().to_string() }),
            Err(TryLockError::Error(error)) => return Err(failed(&path, "locking")(error)),
        }
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Opens the `end` file; none when it does not exist and `create` is not set.
pub(super) fn end_file(dir: &Path, create: bool, write: bool) -> Result<Option<File>, OpenError> {
    let path = dir.join(END);
    let mut options = OpenOptions::new();
    options.read(true).write(write).create(create).truncate(false);
    match options.open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&path, "opening")(error)),
    }
}

/// The numbers of the segments in `dir`, in order.
pub(super) fn segment_numbers(dir: &Path) -> Result<Vec<u64>, OpenError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed(dir, "listing"))? {
        let name = entry.map_err(failed(dir, "listing"))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("segment-")?.strip_suffix(".log"));
        let number: Option<u64> = number.and_then(|number| number.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Writes a segment with its header and first frames, and gives it its name once all is durable.
pub(super) fn create_segment(dir: &Path, header: &Header, frames: &[u8]) -> io::Result<File> {
    let temporary = dir.join(TEMPORARY);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&temporary)?;
    let bytes = header.encode();
    let written = file
        .write_all_at(&bytes, 0)
        .and_then(|()| file.write_all_at(frames, bytes.len() as u64))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, segment_path(dir, header.segment)));
    if let Err(error) = written {
        // Best effort: on a full disk the space of the failed attempt is needed for the next one.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_dir(dir)?;
    Ok(file)
}

/// Removes what an interrupted [`create_segment`] left.
pub(super) fn remove_temporary(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(TEMPORARY);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, "removing")(error)),
        _ => Ok(()),
    }
}

/// Reads and checks the header of segment `number`; also tells its length and the file's.
pub(super) fn read_header(dir: &Path, number: u64) -> Result<(Header, u64, u64), OpenError> {
    let path = segment_path(dir, number);
    let file = File::open(&path).map_err(failed(&path, "opening"))?;
    let length = file.metadata().map_err(failed(&path, "looking at"))?.len();
    let there = |bytes: usize| bytes.min(usize::try_from(length).unwrap_or(usize::MAX));
    let mut bytes = vec![0; there(ALIGN_BYTES)];
    file.read_exact_at(&mut bytes, 0).map_err(failed(&path, "reading"))?;
    let wanted = Header::length(&bytes).clamp(ALIGN_BYTES, MAX_HEADER_BYTES);
    bytes.resize(there(wanted), 0);
    file.read_exact_at(&mut bytes, 0).map_err(failed(&path, "reading"))?;
    match Header::decode(&bytes) {
        Ok((header, _)) if header.segment != number => {
            Err(damaged(&path, 0, format!("the header says that this is segment {}", header.segment)).into())
        }
        Ok((header, header_bytes)) => Ok((header, header_bytes, length)),
        Err(BadHeader::Damaged(problem)) => Err(damaged(&path, 0, problem).into()),
        Err(BadHeader::Format(found)) => Err(OpenError::Mismatch {
            dir: path.display().to_string(),
            field: "format",
            found: found.to_string(),
            wanted: format!("at most {}", crate::record::FORMAT),
            advice: "a newer release wrote it; run that release",
        }),
    }
}
