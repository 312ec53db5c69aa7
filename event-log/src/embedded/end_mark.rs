//! The `end` file: up to where the log is known to be durable.
//!
//! Two slots of 512 bytes, written in turns, so that a torn write leaves the other one. Slot (fields
//! little-endian): `GESTAEND`, format u32, CRC32C u32 of all other bytes, counter, segment, position,
//! round (u64 each), zeros.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::record::FORMAT;

const MAGIC: &[u8; 8] = b"GESTAEND";
const SLOT_BYTES: usize = 512;

/// A durable place: every byte of `segment` below `position`, and all segments before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndMark {
    pub(super) segment: u64,
    pub(super) position: u64,
    pub(super) round: u64,
}

/// The open `end` file.
#[derive(Debug)]
pub(super) struct EndFile {
    file: File,
    counter: u64,
    written: Option<EndMark>,
}

impl EndFile {
    /// Reads the newer of the two slots that are whole; no mark when none is.
    pub(super) fn open(file: File) -> io::Result<(Self, Option<EndMark>)> {
        let mut bytes = Vec::new();
        let mut slots = [[0_u8; SLOT_BYTES]; 2];
        for (slot, at) in slots.iter_mut().zip([0, SLOT_BYTES as u64]) {
            bytes.resize(SLOT_BYTES, 0);
            let read = file.read_at(&mut bytes, at)?;
            slot[..read].copy_from_slice(&bytes[..read]);
        }
        let newest = slots.iter().filter_map(decode).max_by_key(|(counter, _)| *counter);
        let counter = newest.map_or(0, |(counter, _)| counter);
        let mark = newest.map(|(_, mark)| mark);
        Ok((Self { file, counter, written: mark }, mark))
    }

    /// Whether `mark` is what the file says already.
    pub(super) fn says(&self, mark: EndMark) -> bool {
        self.written == Some(mark)
    }

    /// Writes a mark and waits until it is durable.
    pub(super) fn write(&mut self, mark: EndMark) -> io::Result<()> {
        let counter = self.counter + 1;
        self.file.write_all_at(&encode(counter, mark), counter % 2 * SLOT_BYTES as u64)?;
        self.file.sync_data()?;
        self.counter = counter;
        self.written = Some(mark);
        Ok(())
    }
}

fn checksum(slot: &[u8; SLOT_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&slot[..12]), &slot[16..])
}

fn encode(counter: u64, mark: EndMark) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    let fields = [counter, mark.segment, mark.position, mark.round];
    for (place, field) in slot[16..].as_chunks_mut::<8>().0.iter_mut().zip(fields) {
        *place = field.to_le_bytes();
    }
    let sum = checksum(&slot);
    slot[12..16].copy_from_slice(&sum.to_le_bytes());
    slot
}

fn decode(slot: &[u8; SLOT_BYTES]) -> Option<(u64, EndMark)> {
    let sum = slot[12..].first_chunk().copied().map(u32::from_le_bytes)?;
    if &slot[..8] != MAGIC || sum != checksum(slot) {
        return None;
    }
    let field = |at: usize| slot[at..].first_chunk().copied().map(u64::from_le_bytes);
    Some((field(16)?, EndMark { segment: field(24)?, position: field(32)?, round: field(40)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(position: u64) -> EndMark {
        EndMark { segment: 2, position, round: 7 }
    }

    /// PLAT-1: a write that was torn at any byte leaves the former mark.
    #[test]
    fn a_torn_slot_leaves_the_other() {
        let mut file = EndFile::open(tempfile::tempfile().unwrap()).unwrap().0;
        file.write(mark(10)).unwrap();
        file.write(mark(20)).unwrap();
        for at in 0..SLOT_BYTES as u64 {
            let mut octet = [0];
            file.file.read_exact_at(&mut octet, at).unwrap();
            file.file.write_all_at(&[octet[0] ^ 1], at).unwrap();
            let (_, found) = EndFile::open(file.file.try_clone().unwrap()).unwrap();
            assert_eq!(found, Some(mark(10)), "byte {at}");
            file.file.write_all_at(&octet, at).unwrap();
        }
        assert_eq!(EndFile::open(file.file.try_clone().unwrap()).unwrap().1, Some(mark(20)));
    }
}
