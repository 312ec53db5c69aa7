//! Reading a shard from its segment files: in order, only the shard's own frames.

use std::sync::Arc;

use super::chunks::Chunk;
use super::committer::Published;
use super::files::damaged;
use super::frame::{Found, Frame};
use super::segments::Segment;
use crate::reader::ReadError;
use crate::rule_f::Header;
use crate::stored::Stored;

/// Reads one shard. Goes on where it stopped, as long as the offsets asked for follow each other.
#[derive(Debug)]
pub(super) struct DiskReader {
    shard: u16,
    /// Offset that the next fetch asks for when it goes on.
    next: u64,
    place: Option<Place>,
    published: Arc<Published>,
}

/// A position between two frames, in the chunk that holds it.
#[derive(Debug)]
struct Place {
    segment: Arc<Segment>,
    position: u64,
    chunk: Option<Chunk>,
}

/// What one fetch may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Drop for DiskReader {
    fn drop(&mut self) {
        self.published.chunks.leave();
    }
}

impl DiskReader {
    pub(super) fn new(shard: u16, published: &Arc<Published>) -> Self {
        published.chunks.enter();
        Self { shard, next: 0, place: None, published: Arc::clone(published) }
    }

    /// Records from offset `from` on, which must be below the shard's end: at least one.
    pub(super) fn fetch(&mut self, from: u64, limit: Limit) -> Result<Vec<Arc<Stored>>, ReadError> {
        if self.next != from {
            self.place = None;
        }
        let published = Arc::clone(&self.published);
        let (mut records, mut next) = (Vec::new(), from);
        while records.is_empty() {
            let segment = published.segments.find(self.shard, next);
            let segment = segment.ok_or(ReadError::NoGenesis { shard: self.shard })?;
            let reuse = self.place.take().filter(|place| Arc::ptr_eq(&place.segment, &segment));
            let place = self.place.insert(reuse.unwrap_or_else(|| Place {
                position: segment.seek(self.shard, next),
                segment: Arc::clone(&segment),
                chunk: None,
            }));
            if place.position >= segment.end() {
                let problem = format!("shard {}: the record at offset {next} is missing", self.shard);
                return Err(damaged(&segment.path, place.position, problem));
            }
            let chunk = match place.chunk.take() {
                Some(chunk) => chunk,
                None => published.chunks.get(&segment, place.position)?,
            };
            place.take(&chunk, self.shard, &mut next, limit, &mut records)?;
            if place.position < chunk.start + chunk.bytes.len() as u64 {
                place.chunk = Some(chunk);
            } else if let (Some(problem), true) = (chunk.damage, records.is_empty()) {
                return Err(damaged(&segment.path, place.position, problem));
            }
        }
        self.next = next;
        Ok(records)
    }
}

impl Place {
    /// Takes the shard's records out of a chunk, up to its end or the limit.
    fn take(
        &mut self,
        chunk: &Chunk,
        shard: u16,
        next: &mut u64,
        limit: Limit,
        records: &mut Vec<Arc<Stored>>,
    ) -> Result<(), ReadError> {
        let mut at = usize::try_from(self.position - chunk.start).unwrap_or(usize::MAX);
        let (mut bytes, mut problem) = (0, None);
        while records.len() < limit.records && bytes < limit.bytes {
            let Some(Found::Frame(frame)) = chunk.bytes.get(at..).map(Frame::find) else { break };
            if frame.shard == shard && frame.offset >= *next {
                if !frame.is_whole() {
                    problem = Some("the checksum of the record is wrong".to_owned());
                    break;
                }
                if frame.offset > *next {
                    problem = Some(format!("shard {shard}: the record at offset {next} is missing"));
                    break;
                }
                let value = chunk.bytes.slice(at + frame.value_at()..at + frame.len());
                bytes += value.len();
                records.push(Arc::new(Stored::new(frame.offset, Header::parse(frame.fence()), value)));
                *next += 1;
            }
            at += frame.len();
        }
        self.position = chunk.start + at as u64;
        // What stands before the damage is handed out first; the next fetch begins with it.
        match problem {
            Some(problem) if records.is_empty() => Err(damaged(&self.segment.path, self.position, problem)),
            _ => Ok(()),
        }
    }
}
