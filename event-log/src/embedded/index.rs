//! The sparse index of a segment: where in the file a shard's offsets stand.
//!
//! File, fields little-endian: `GESTAIDX`, format u32, CRC32C u32 of all other bytes, segment u64,
//! end u64, then entries of shard u16, offset u64, position u64. It can always be made again from
//! the segment, so a missing or damaged one only costs time.

const MAGIC: &[u8; 8] = b"GESTAIDX";
const FIXED_BYTES: usize = 32;
const ENTRY_BYTES: usize = 18;
/// A shard gets an entry when its last one lies this many bytes back.
const STRIDE_BYTES: u64 = 32 * 1024;

use crate::record::FORMAT;

/// Per shard, ascending pairs of offset and position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    shards: Vec<Vec<(u64, u64)>>,
}

impl Index {
    pub(super) fn new(shards: u16) -> Self {
        Self { shards: vec![Vec::new(); usize::from(shards)] }
    }

    /// Notes the frame at `position`, if the shard is due for an entry.
    pub(super) fn note(&mut self, shard: u16, offset: u64, position: u64) {
        let entries = &mut self.shards[usize::from(shard)];
        if entries.last().is_none_or(|(_, last)| position >= last + STRIDE_BYTES) {
            entries.push((offset, position));
        }
    }

    /// The position of the last noted frame of `shard` whose offset is not above `offset`.
    pub(super) fn seek(&self, shard: u16, offset: u64) -> Option<u64> {
        let entries = self.shards.get(usize::from(shard))?;
        let after = entries.partition_point(|(noted, _)| *noted <= offset);
        Some(entries.get(after.checked_sub(1)?)?.1)
    }

    /// Forgets every entry at or behind `end`.
    pub(super) fn cut(&mut self, end: u64) {
        for entries in &mut self.shards {
            entries.retain(|(_, position)| *position < end);
        }
    }

    pub(super) fn encode(&self, segment: u64, end: u64) -> Vec<u8> {
        let mut bytes = Vec::from(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(segment.to_le_bytes());
        bytes.extend(end.to_le_bytes());
        for (shard, entries) in (0_u16..).zip(&self.shards) {
            for (offset, position) in entries {
                bytes.extend(shard.to_le_bytes());
                bytes.extend(offset.to_le_bytes());
                bytes.extend(position.to_le_bytes());
            }
        }
        let sum = checksum(&bytes);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the index of a segment that ends at `end`; none when it is not whole or of another one.
    pub(super) fn decode(bytes: &[u8], segment: u64, end: u64, shards: u16) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_BYTES>()?;
        let field = |at: usize| fixed[at..].first_chunk().copied().map(u64::from_le_bytes);
        let sum = fixed[12..].first_chunk().copied().map(u32::from_le_bytes)?;
        if &fixed[..8] != MAGIC || sum != checksum(bytes) || (field(16)?, field(24)?) != (segment, end) {
            return None;
        }
        let (entries, []) = rest.as_chunks::<ENTRY_BYTES>() else { return None };
        let mut index = Self::new(shards);
        for entry in entries {
            let (shard, places) = entry.split_first_chunk::<2>()?;
            let places = places.as_chunks::<8>().0;
            let place = |i: usize| places.get(i).copied().map(u64::from_le_bytes);
            let entries = index.shards.get_mut(usize::from(u16::from_le_bytes(*shard)))?;
            entries.push((place(0)?, place(1)?));
        }
        Some(index)
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::new(2);
        for offset in 0..10 {
            index.note(1, offset, 4_096 + offset * STRIDE_BYTES / 2);
        }
        index
    }

    #[test]
    fn it_leads_to_the_last_noted_frame_before() {
        let index = index();
        assert_eq!(index.seek(1, 5), Some(4_096 + 2 * STRIDE_BYTES));
        assert_eq!(index.seek(1, 1), Some(4_096));
        assert_eq!(index.seek(0, 1), None);
    }

    /// PLAT-1: a damaged index is not used.
    #[test]
    fn it_reads_back_only_whole() {
        let good = index().encode(3, 99);
        assert_eq!(Index::decode(&good, 3, 99, 2), Some(index()));
        assert_eq!(Index::decode(&good, 4, 99, 2), None);
        assert_eq!(Index::decode(&good[..good.len() - 1], 3, 99, 2), None);
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 4;
            assert_eq!(Index::decode(&bytes, 3, 99, 2), None, "byte {at}");
        }
    }
}
