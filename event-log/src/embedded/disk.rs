//! Reading a shard from its segment files: in order, in large chunks, only the shard's own frames.

use std::sync::Arc;

use bytes::Bytes;

use super::segments::{Segment, Segments};
use super::walk::{Step, Walk};
use crate::reader::ReadError;
use crate::rule_f::Header;
use crate::stored::Stored;

/// Reads one shard. Goes on where it stopped, as long as the offsets asked for follow each other.
#[derive(Debug)]
pub(super) struct DiskReader {
    shard: u16,
    /// Offset that the next fetch asks for when it goes on.
    next: u64,
    place: Option<(Arc<Segment>, Walk)>,
}

/// What one fetch may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl DiskReader {
    pub(super) fn new(shard: u16) -> Self {
        Self { shard, next: 0, place: None }
    }

    /// Records from offset `from` on, which must be below the shard's end: at least one.
    pub(super) fn fetch(
        &mut self,
        segments: &Segments,
        from: u64,
        limit: Limit,
    ) -> Result<Vec<Arc<Stored>>, ReadError> {
        let mut records = Vec::new();
        let mut next = from;
        if self.next != from {
            self.place = None;
        }
        while records.is_empty() {
            let segment =
                segments.find(self.shard, next).ok_or(ReadError::NoGenesis { shard: self.shard })?;
            let reuse = self.place.take().filter(|(current, _)| Arc::ptr_eq(current, &segment));
            let (_, walk) = match reuse {
                Some(place) => self.place.insert(place),
                None => {
                    let walk = Walk::open(segment.path.clone(), segment.seek(self.shard, next))?;
                    self.place.insert((Arc::clone(&segment), walk))
                }
            };
            let end = segment.end();
            take(walk, self.shard, &mut next, end, limit, &mut records)?;
            let moved_on =
                segments.find(self.shard, next).is_some_and(|other| !Arc::ptr_eq(&other, &segment));
            if records.is_empty() && !moved_on {
                let problem = format!("shard {}: the record at offset {next} is missing", self.shard);
                return Err(walk.damaged(end, problem));
            }
        }
        self.next = next;
        Ok(records)
    }
}

/// Takes the shard's records out of one segment, up to its end or the limit.
fn take(
    walk: &mut Walk,
    shard: u16,
    next: &mut u64,
    end: u64,
    limit: Limit,
    records: &mut Vec<Arc<Stored>>,
) -> Result<(), ReadError> {
    let mut bytes = 0;
    while records.len() < limit.records && bytes < limit.bytes {
        let position = walk.position();
        let frame = match walk.step(end)? {
            Step::Frame(frame) => frame,
            Step::End if position >= end => return Ok(()),
            Step::End => return Err(walk.damaged(position, "nothing stands where a record must be")),
            Step::Bad(position, problem) => return Err(walk.damaged(position, problem)),
        };
        if frame.shard != shard {
            continue;
        }
        if !frame.is_whole() {
            return Err(walk.damaged(position, "the checksum of the record is wrong"));
        }
        if frame.offset < *next {
            continue;
        }
        if frame.offset > *next {
            let found = frame.offset;
            let problem =
                format!("shard {shard}: the record at offset {next} is missing before offset {found}");
            return Err(walk.damaged(position, problem));
        }
        let value = Bytes::copy_from_slice(frame.value());
        bytes += value.len();
        records.push(Arc::new(Stored::new(frame.offset, Header::parse(frame.fence()), value)));
        *next += 1;
    }
    Ok(())
}
