//! The fence: the binary header `gesta-fence` of every record.

/// Encoded size of a fence in bytes: kind (1), epoch (8), nonce (16), seq (8), big-endian.
pub const FENCE_BYTES: usize = 33;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Names the log; only at offset 0.
    Genesis,
    /// Opens an epoch.
    Claim,
    /// The events of one command.
    Commit,
    /// Proves that its writer was still the owner; carries nothing.
    Barrier,
}

impl Kind {
    const CODES: [(u8, Self); 4] =
        [(1, Self::Genesis), (2, Self::Claim), (3, Self::Commit), (4, Self::Barrier)];

    /// The octet that stands for this kind in a fence.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Genesis => 1,
            Self::Claim => 2,
            Self::Commit => 3,
            Self::Barrier => 4,
        }
    }

    /// The kind of an octet, if this release knows it.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind)
    }
}

/// Who wrote a record, and the how-manieth of its epoch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence {
    /// What the record is.
    pub kind: Kind,
    /// Epoch of the writer; 0 for GENESIS.
    pub epoch: u64,
    /// Nonce of the writer's claim; 0 for GENESIS.
    pub nonce: u128,
    /// 0 for the claim itself (and GENESIS), then 1, 2, 3, …
    pub seq: u64,
}

/// Why a header is not a fence of this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FenceError {
    /// Another length than [`FENCE_BYTES`].
    #[error("the fence has {0} bytes instead of {FENCE_BYTES}")]
    Length(usize),
    /// A kind that this release does not know.
    #[error("record kind {0} is unknown to this release")]
    Kind(u8),
}

impl Fence {
    /// The header of a record.
    #[must_use]
    pub fn encode(&self) -> [u8; FENCE_BYTES] {
        let mut octets = [0; FENCE_BYTES];
        octets[0] = self.kind.code();
        octets[1..9].copy_from_slice(&self.epoch.to_be_bytes());
        octets[9..25].copy_from_slice(&self.nonce.to_be_bytes());
        octets[25..].copy_from_slice(&self.seq.to_be_bytes());
        octets
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`FenceError`] when the length or the kind is not one of this release.
    pub fn decode(octets: &[u8]) -> Result<Self, FenceError> {
        let Ok(fence) = <&[u8; FENCE_BYTES]>::try_from(octets) else {
            return Err(FenceError::Length(octets.len()));
        };
        let kind = Kind::of_code(fence[0]).ok_or(FenceError::Kind(fence[0]))?;
        let (epoch, nonce) = epoch_and_nonce(octets).ok_or(FenceError::Length(octets.len()))?;
        let seq = fence.last_chunk::<8>().copied().map_or(0, u64::from_be_bytes);
        Ok(Self { kind, epoch, nonce, seq })
    }
}

/// Epoch and nonce, which stand at the same place in a fence of any release.
pub(crate) fn epoch_and_nonce(octets: &[u8]) -> Option<(u64, u128)> {
    let (epoch, rest) = octets.get(1..)?.split_first_chunk::<8>()?;
    let nonce = rest.first_chunk::<16>()?;
    Some((u64::from_be_bytes(*epoch), u128::from_be_bytes(*nonce)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// PLAT-1: the header of a record never changes.
    #[test]
    fn the_encoding_is_the_golden_one() {
        let fence = Fence { kind: Kind::Commit, epoch: 0x0102, nonce: 0xAABB, seq: 7 };
        let mut golden = [0_u8; 33];
        (golden[0], golden[7], golden[8]) = (3, 1, 2);
        (golden[23], golden[24], golden[32]) = (0xAA, 0xBB, 7);
        assert_eq!(fence.encode(), golden);
        assert_eq!(Fence::decode(&golden), Ok(fence));
    }

    #[test]
    fn another_length_or_kind_is_refused_by_name() {
        assert_eq!(Fence::decode(&[1; 32]), Err(FenceError::Length(32)));
        assert_eq!(Fence::decode(&[]), Err(FenceError::Length(0)));
        assert_eq!(Fence::decode(&[9; 33]), Err(FenceError::Kind(9)));
    }

    proptest! {
        #[test]
        fn a_fence_reads_back(code in 1_u8..=4, epoch: u64, nonce: u128, seq: u64) {
            let kind = Kind::of_code(code).unwrap();
            prop_assert_eq!(kind.code(), code);
            let fence = Fence { kind, epoch, nonce, seq };
            prop_assert_eq!(Fence::decode(&fence.encode()), Ok(fence));
        }

        #[test]
        fn no_header_panics(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Fence::decode(&octets);
            let _ = epoch_and_nonce(&octets);
        }
    }
}
