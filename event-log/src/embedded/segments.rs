//! The segments of a log, as its readers see them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::files::{index_path, read_header, segment_path};
use super::header::{Header, Mark};
use super::index::Index;

/// One segment file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    /// Position of the first frame.
    pub(super) first: u64,
    /// Next offset of each shard at its beginning.
    bases: Vec<u64>,
    index_path: PathBuf,
    /// Where what is proven ends; moves while the segment is written.
    end: AtomicU64,
    /// The index of the segment that is being written; a sealed one's is read when it is needed.
    index: Mutex<Option<Index>>,
}

impl Segment {
    /// A segment whose proven frames end at `end`; with an index while it is being written.
    pub(super) fn new(dir: &Path, header: &Header, first: u64, end: u64, index: Option<Index>) -> Arc<Self> {
        Arc::new(Self {
            number: header.segment,
            path: segment_path(dir, header.segment),
            first,
            bases: header.shards.iter().map(|mark| mark.end).collect(),
            index_path: index_path(dir, header.segment),
            end: AtomicU64::new(end),
            index: Mutex::new(index),
        })
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn base(&self, shard: u16) -> u64 {
        self.bases[usize::from(shard)]
    }

    /// The state of `shard` before the first frame. Its header says it; a header that cannot be read only
    /// costs time.
    pub(super) fn mark(&self, shard: u16) -> Option<Mark> {
        let (header, ..) = read_header(self.path.parent()?, self.number).ok()?;
        header.shards.get(usize::from(shard)).copied()
    }

    /// Makes frames up to `end` visible and notes where they stand.
    pub(super) fn grow(&self, end: u64, frames: impl Iterator<Item = (u16, u64, u64)>) {
        if let Some(index) = self.index.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            for (shard, offset, position) in frames {
                index.note(shard, offset, position);
            }
        }
        self.end.store(end, Ordering::Release);
    }

    /// Writes the index of a segment that is not written any more. Nothing depends on the file, so
    /// a failure is only told.
    pub(super) fn seal(&self) {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut index) = index else { return };
        index.cut(self.end());
        if let Err(error) = fs::write(&self.index_path, index.encode(self.number, self.end())) {
            tracing::warn!(file = %self.index_path.display(), %error, "the index could not be written; seeking will be slower");
        }
    }

    /// A position at or before the frame of `offset`.
    pub(super) fn seek(&self, shard: u16, offset: u64) -> u64 {
        if offset <= self.base(shard) {
            return self.first;
        }
        if let Some(index) = self.index.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return index.seek(shard, offset).unwrap_or(self.first);
        }
        let shards = u16::try_from(self.bases.len()).unwrap_or(u16::MAX);
        let index = fs::read(&self.index_path).ok();
        let index = index.and_then(|bytes| Index::decode(&bytes, self.number, self.end(), shards));
        index.and_then(|index| index.seek(shard, offset)).unwrap_or(self.first)
    }
}

/// All segments, in order.
#[derive(Debug)]
pub(super) struct Segments(RwLock<Vec<Arc<Segment>>>);

impl Segments {
    pub(super) fn new(segments: Vec<Arc<Segment>>) -> Self {
        Self(RwLock::new(segments))
    }

    /// The segment that holds `offset` of `shard`, or will hold it next.
    pub(super) fn find(&self, shard: u16, offset: u64) -> Option<Arc<Segment>> {
        let segments = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base(shard) <= offset);
        segments.get(after.checked_sub(1)?).cloned()
    }

    /// Adds the segment that is written from now on. One of the same number, in which nothing was
    /// proven, is replaced.
    pub(super) fn push(&self, segment: Arc<Segment>) {
        let mut segments = self.0.write().unwrap_or_else(PoisonError::into_inner);
        segments.retain(|old| old.number != segment.number);
        segments.push(segment);
    }
}
