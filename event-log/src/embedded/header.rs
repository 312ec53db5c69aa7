//! The header of a segment file: which log it belongs to, where the former segment ends, and the
//! state of every shard at its beginning.
//!
//! | bytes | field (little-endian) |
//! |---|---|
//! | 0–7 | `GESTALOG` |
//! | 8–11 | format |
//! | 12–15 | length of the header, a multiple of 4,096 |
//! | 16–19 | CRC32C of bytes 0–15 and 20–end |
//! | 20–23 | length of the JSON that follows |
//! | 24– | [`Header`] as JSON, then zeros |

use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, nonce};
use crate::record::{FORMAT, Genesis};
use crate::rule_f::State;

const MAGIC: &[u8; 8] = b"GESTALOG";
const FIXED_BYTES: usize = 24;
/// Headers are a multiple of this long, in bytes.
pub(super) const ALIGN_BYTES: usize = 4_096;
/// Largest header, in bytes: room for the most shards that a log may have.
pub(super) const MAX_HEADER_BYTES: usize = 1024 * 1024;

/// What a segment says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) genesis: Genesis,
    /// Number of the segment, from 1.
    pub(super) segment: u64,
    /// Where the former segment ends, in bytes; whatever stands behind it never counted.
    pub(super) former_end: u64,
    /// Last round before this segment; a later one never carries a lower number.
    pub(super) former_round: u64,
    /// Bytes of frames behind this header that were durable before the segment got its name.
    pub(super) proven: u64,
    /// The state of each shard before the first frame.
    pub(super) shards: Vec<Mark>,
}

/// The state of a shard at a place in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark {
    /// Offset of the next record.
    pub(super) end: u64,
    /// Offset of the last record that counted.
    pub(super) last_counted: Option<u64>,
    /// Offset of the last commit that counted.
    pub(super) last_commit: Option<u64>,
    pub(super) epoch: u64,
    #[serde(with = "nonce")]
    pub(super) nonce: u128,
    pub(super) next_seq: u64,
    /// Offset of a record that no reader of this release passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unreadable: Option<u64>,
}

impl Mark {
    pub(super) fn state(&self) -> State {
        State {
            begun: self.last_counted.is_some(),
            epoch: self.epoch,
            nonce: self.nonce,
            next_seq: self.next_seq,
        }
    }

    pub(super) fn cursor(&self, genesis: &Genesis, shard: u16) -> Cursor {
        Cursor {
            next_offset: self.end,
            last_counted: self.last_counted,
            epoch: self.epoch,
            nonce: self.nonce,
            next_seq: self.next_seq,
            ..Cursor::beginning(genesis, shard)
        }
    }
}

/// Why the beginning of a file is no header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// Written by a newer release.
    Format(u32),
    /// Damaged, cut, or not ours.
    Damaged(&'static str),
}

fn field(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().copied().map_or(0, u32::from_le_bytes)
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..16]), &bytes[20..])
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a struct of plain fields serialises");
        let length = (FIXED_BYTES + json.len()).next_multiple_of(ALIGN_BYTES);
        let narrow =
            |n: usize| u32::try_from(n).expect("MAX_SHARDS keeps a header far below 4 GiB").to_le_bytes();
        let mut bytes = vec![0; length];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&narrow(length));
        bytes[20..24].copy_from_slice(&narrow(json.len()));
        bytes[FIXED_BYTES..FIXED_BYTES + json.len()].copy_from_slice(&json);
        let sum = checksum(&bytes);
        bytes[16..20].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The length that the header at the beginning of `bytes` claims; not yet checked.
    pub(super) fn length(bytes: &[u8]) -> usize {
        if bytes.len() < FIXED_BYTES { 0 } else { field(bytes, 12) as usize }
    }

    /// Reads the header at the beginning of `bytes` and tells its length.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, u64), BadHeader> {
        let damaged = |problem| Err(BadHeader::Damaged(problem));
        if bytes.len() < FIXED_BYTES || &bytes[..8] != MAGIC {
            return damaged("this is not a segment of a Gesta log");
        }
        let (format, length) = (field(bytes, 8), field(bytes, 12) as usize);
        if format > FORMAT {
            return Err(BadHeader::Format(format));
        }
        if length < FIXED_BYTES || bytes.len() < length {
            return damaged("the header of the segment is cut");
        }
        let bytes = &bytes[..length];
        if checksum(bytes) != field(bytes, 16) {
            return damaged("the checksum of the segment's header is wrong");
        }
        let json = bytes.get(FIXED_BYTES..FIXED_BYTES + field(bytes, 20) as usize);
        let header = json.and_then(|json| serde_json::from_slice::<Self>(json).ok());
        match header {
            Some(header) if header.shards.len() == usize::from(header.genesis.shards) => {
                Ok((header, length as u64))
            }
            _ => damaged("the header of the segment cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(shards: u16) -> Header {
        Header {
            genesis: Genesis {
                log_id: uuid::Uuid::from_u128(5),
                deployment: "test".into(),
                generation: 1,
                shards,
                format: FORMAT,
            },
            segment: 1,
            former_end: 0,
            former_round: 0,
            proven: 0,
            shards: vec![Mark { nonce: u128::MAX, epoch: u64::MAX, ..Mark::default() }; usize::from(shards)],
        }
    }

    #[test]
    fn a_header_reads_back_and_the_largest_fits() {
        for shards in [1, 8, crate::EmbeddedOptions::MAX_SHARDS] {
            let bytes = header(shards).encode();
            assert!(bytes.len() <= MAX_HEADER_BYTES && bytes.len().is_multiple_of(ALIGN_BYTES));
            assert_eq!(Header::decode(&bytes), Ok((header(shards), bytes.len() as u64)));
        }
    }

    /// PLAT-1: no changed byte of a header goes unnoticed.
    #[test]
    fn every_changed_byte_is_noticed() {
        let good = header(1).encode();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            assert!(Header::decode(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = header(1).encode();
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes), Err(BadHeader::Format(2)));
    }
}
