//! Frames: how a record stands in a segment file.
//!
//! | bytes | field (little-endian) |
//! |---|---|
//! | 0–3 | length of the whole frame in bytes |
//! | 4–7 | CRC32C of bytes 0–3 and 8–end |
//! | 8–9 | shard |
//! | 10–11 | flags: bit 0 = last frame of its round |
//! | 12–13 | length of the fence |
//! | 14–15 | length of the key |
//! | 16–23 | offset in the shard |
//! | 24–31 | round: all frames of one write and one fdatasync |
//! | 32– | fence, key, value |
//!
//! A length of 0 means that nothing was written here yet: segments are filled with zeros ahead.

use schemas::commit::MAX_COMMIT_BYTES;

use crate::fence::FENCE_BYTES;
use crate::record::Record;

/// Bytes before the fence.
pub(super) const HEAD_BYTES: usize = 32;
/// Largest frame, in bytes.
pub(super) const MAX_FRAME_BYTES: usize = HEAD_BYTES + MAX_COMMIT_BYTES;

const LAST_OF_ROUND: u16 = 1;

/// A frame inside a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    bytes: &'a [u8],
    fence_end: usize,
    key_end: usize,
    pub(super) shard: u16,
    pub(super) last: bool,
    pub(super) offset: u64,
    pub(super) round: u64,
}

/// What stands at the beginning of a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    /// A frame; its checksum is not yet compared.
    Frame(Frame<'a>),
    /// A frame of this many bytes, of which the buffer holds only a part.
    Part(usize),
    /// Nothing was written here.
    Blank,
    /// No frame.
    Bad(&'static str),
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the caller has checked that the head is there")
}

impl<'a> Frame<'a> {
    /// Looks at the beginning of `buffer`. `Part(HEAD_BYTES)` when even the head is not whole.
    pub(super) fn find(buffer: &'a [u8]) -> Found<'a> {
        if buffer.len() < 4 {
            return Found::Part(HEAD_BYTES);
        }
        let length = u32::from_le_bytes(field(buffer, 0)) as usize;
        if length == 0 {
            return Found::Blank;
        }
        if !(HEAD_BYTES..=MAX_FRAME_BYTES).contains(&length) {
            return Found::Bad("the length of the frame is impossible");
        }
        if buffer.len() < length {
            return Found::Part(length);
        }
        let bytes = &buffer[..length];
        let fence_end = HEAD_BYTES + usize::from(u16::from_le_bytes(field(bytes, 12)));
        let key_end = fence_end + usize::from(u16::from_le_bytes(field(bytes, 14)));
        if key_end > length {
            return Found::Bad("the fields of the frame are longer than the frame");
        }
        Found::Frame(Self {
            bytes,
            fence_end,
            key_end,
            shard: u16::from_le_bytes(field(bytes, 8)),
            last: u16::from_le_bytes(field(bytes, 10)) & LAST_OF_ROUND != 0,
            offset: u64::from_le_bytes(field(bytes, 16)),
            round: u64::from_le_bytes(field(bytes, 24)),
        })
    }

    /// Whether the checksum is right.
    pub(super) fn is_whole(&self) -> bool {
        checksum(self.bytes) == u32::from_le_bytes(field(self.bytes, 4))
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn fence(&self) -> &'a [u8] {
        &self.bytes[HEAD_BYTES..self.fence_end]
    }

    pub(super) fn key(&self) -> &'a [u8] {
        &self.bytes[self.fence_end..self.key_end]
    }

    pub(super) fn value(&self) -> &'a [u8] {
        &self.bytes[self.key_end..]
    }

    /// Where the value begins, from the beginning of the frame.
    pub(super) fn value_at(&self) -> usize {
        self.key_end
    }
}

/// Where a frame stands in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) shard: u16,
    pub(super) offset: u64,
    pub(super) round: u64,
    pub(super) last: bool,
}

/// Bytes of the frame of a record.
pub(super) fn frame_bytes(record: &Record) -> usize {
    HEAD_BYTES + record.size()
}

/// Appends the frame of `record` to `out`.
pub(super) fn encode(out: &mut Vec<u8>, place: Place, record: &Record) {
    encode_parts(out, place, &record.fence.encode(), record.key.as_bytes(), &record.value);
}

/// Appends a frame of parts that were read before, or checked by the handle.
pub(super) fn encode_parts(out: &mut Vec<u8>, place: Place, fence: &[u8], key: &[u8], value: &[u8]) {
    let start = out.len();
    let length = HEAD_BYTES + fence.len() + key.len() + value.len();
    let narrow = |length: usize| u16::try_from(length).expect("the handle refuses longer keys");
    out.reserve(length);
    out.extend(u32::try_from(length).expect("the handle refuses larger records").to_le_bytes());
    out.extend([0; 4]);
    out.extend(place.shard.to_le_bytes());
    out.extend((if place.last { LAST_OF_ROUND } else { 0 }).to_le_bytes());
    out.extend(narrow(fence.len()).to_le_bytes());
    out.extend(narrow(key.len()).to_le_bytes());
    out.extend(place.offset.to_le_bytes());
    out.extend(place.round.to_le_bytes());
    for part in [fence, key, value] {
        out.extend_from_slice(part);
    }
    let sum = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

/// The highest round of any whole frame that begins in `bytes`, at whatever byte, and is not older
/// than `from`: what tells a torn last round from damage in the middle.
pub(super) fn highest_round(bytes: &[u8], from: u64) -> Option<u64> {
    let begins = |at: usize| match Frame::find(&bytes[at..]) {
        Found::Frame(frame)
            if frame.round >= from && frame.fence().len() == FENCE_BYTES && frame.is_whole() =>
        {
            Some(frame.round)
        }
        _ => None,
    };
    (0..bytes.len()).filter_map(begins).max()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(key: &str, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let place = Place { shard: 3, offset: 5, round: 9, last: true };
        encode_parts(&mut out, place, &[7; FENCE_BYTES], key.as_bytes(), value);
        out
    }

    /// PLAT-1: the form of a frame never changes.
    #[test]
    fn the_encoding_is_the_golden_one() {
        let bytes = frame("k", b"{}");
        assert_eq!(bytes[..4], 68_u32.to_le_bytes());
        assert_eq!(
            bytes[4..8],
            crc32c::crc32c_append(crc32c::crc32c(&bytes[..4]), &bytes[8..]).to_le_bytes()
        );
        assert_eq!(bytes[8..32], [3, 0, 1, 0, 33, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[32..65], [7; 33]);
        assert_eq!(&bytes[65..], b"k{}");
    }

    /// PLAT-1: no changed byte of a frame goes unnoticed.
    #[test]
    fn every_changed_byte_is_noticed() {
        let good = frame("default/task/1", br#"{"a":1}"#);
        for at in 0..good.len() {
            for change in [1_u8, 0x80, 0xFF] {
                let mut bytes = good.clone();
                bytes[at] ^= change;
                let noticed = match Frame::find(&bytes) {
                    Found::Frame(frame) => !frame.is_whole(),
                    Found::Part(_) | Found::Blank | Found::Bad(_) => true,
                };
                assert!(noticed, "byte {at} xor {change:#x}");
            }
        }
    }

    #[test]
    fn a_later_frame_is_found_at_any_byte() {
        let mut bytes = vec![0xAB; 1_001];
        bytes.extend(frame("k", b"{}"));
        assert_eq!(highest_round(&bytes, 9), Some(9));
        assert_eq!(highest_round(&bytes, 10), None);
        assert_eq!(highest_round(&bytes[..bytes.len() - 1], 9), None);
    }

    proptest! {
        #[test]
        fn a_frame_reads_back(key in "[a-z]{0,40}", value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = frame(&key, &value);
            let Found::Frame(frame) = Frame::find(&bytes) else { panic!("no frame") };
            prop_assert!(frame.is_whole() && frame.last);
            prop_assert_eq!((frame.shard, frame.offset, frame.round), (3, 5, 9));
            prop_assert_eq!((frame.key(), frame.value()), (key.as_bytes(), value.as_slice()));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Found::Frame(frame) = Frame::find(&bytes) {
                let _ = (frame.is_whole(), frame.fence(), frame.key(), frame.value());
            }
        }
    }
}
