//! Parts of segment files in memory, read once for all readers that catch up.
//!
//! A chunk holds the frames that begin between two multiples of [`CHUNK_BYTES`], so that readers of
//! any shard, from wherever they started, soon ask for the same ones. Copying every byte out of the
//! page cache once per shard would cost twice as much as parsing the commits.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;

use super::files::unreadable;
use super::frame::{Found, Frame};
use super::segments::Segment;
use crate::reader::ReadError;

/// Bytes of a segment that are read at once.
const CHUNK_BYTES: u64 = 512 * 1024;
/// Chunks that are kept while anyone catches up, all segments together: 48 MiB.
const KEPT_CHUNKS: usize = 96;

/// Whole frames that follow each other in a segment.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// Position of the first one.
    pub(super) start: u64,
    /// What stands behind the last one, if that is neither a frame nor the segment's end.
    pub(super) damage: Option<&'static str>,
}

type Loading = Arc<OnceLock<Result<Chunk, ReadError>>>;

/// Chunks that were read last.
#[derive(Debug, Default)]
pub(super) struct Chunks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    readers: usize,
    kept: VecDeque<(Arc<Segment>, u64, Loading)>,
}

impl Chunks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a reader that begins to catch up.
    pub(super) fn enter(&self) {
        self.lock().readers += 1;
    }

    /// Counts a reader that has caught up; the last one frees the memory.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        state.readers -= 1;
        if state.readers == 0 {
            state.kept = VecDeque::new();
        }
    }

    /// The chunk of `segment` from `start` on, which is the position of a frame below the end.
    /// Whoever asks first reads it, others wait for that.
    pub(super) fn get(&self, segment: &Arc<Segment>, start: u64) -> Result<Chunk, ReadError> {
        let end = segment.end();
        let limit = end.min((start / CHUNK_BYTES + 1) * CHUNK_BYTES);
        let loading = self.find(segment, start);
        let loaded = loading.get_or_init(|| load(segment, start, limit, end)).clone();
        let whole = |chunk: &Chunk| chunk.damage.is_none() && chunk.start + chunk.bytes.len() as u64 >= limit;
        if !loaded.as_ref().is_ok_and(whole) {
            // The next one who asks reads again: files are repaired, and a segment grows.
            self.lock().kept.retain(|(.., other)| !Arc::ptr_eq(other, &loading));
        }
        loaded
    }

    fn find(&self, segment: &Arc<Segment>, start: u64) -> Loading {
        let mut state = self.lock();
        let same = |other: &Arc<Segment>, at: u64| Arc::ptr_eq(other, segment) && at == start;
        if let Some((.., found)) = state.kept.iter().find(|(other, at, _)| same(other, *at)) {
            return Arc::clone(found);
        }
        state.kept.truncate(KEPT_CHUNKS - 1);
        let loading = Loading::default();
        state.kept.push_front((Arc::clone(segment), start, Arc::clone(&loading)));
        loading
    }
}

/// Reads the frames that begin at or behind `start` and before `limit`; none reaches behind `end`.
fn load(segment: &Segment, start: u64, limit: u64, end: u64) -> Result<Chunk, ReadError> {
    let file = File::open(&segment.path).map_err(unreadable(&segment.path))?;
    let mut bytes = Vec::new();
    read(segment, &file, start, limit, &mut bytes)?;
    let (mut at, mut damage) = (0, None);
    while damage.is_none() && start + (at as u64) < limit {
        match Frame::find(&bytes[at..]) {
            Found::Frame(frame) => at += frame.len(),
            Found::Part(wanted) => {
                let had = bytes.len();
                read(segment, &file, start, end.min(start + (at + wanted) as u64), &mut bytes)?;
                if bytes.len() == had {
                    damage = Some("the frame is cut");
                }
            }
            Found::Blank => damage = Some("nothing stands where a record must be"),
            Found::Bad(problem) => damage = Some(problem),
        }
    }
    bytes.truncate(at);
    Ok(Chunk { bytes: bytes.into(), start, damage })
}

/// Reads on into `bytes`, which begin at `start`, up to position `to`; less only where the file ends.
fn read(segment: &Segment, file: &File, start: u64, to: u64, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    let mut filled = bytes.len();
    let wanted = usize::try_from(to.saturating_sub(start)).unwrap_or(usize::MAX);
    bytes.resize(wanted.max(filled), 0);
    while filled < bytes.len() {
        let read = file.read_at(&mut bytes[filled..], start + filled as u64);
        match read.map_err(unreadable(&segment.path))? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(())
}
