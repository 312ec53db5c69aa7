//! An owner's own state: stamps its records and proves them by their offsets (log.md §3).

use std::collections::BTreeSet;

use crate::fence::{Fence, Kind};

/// The owner of a shard in one epoch. Pure: it neither reads nor writes the log.
///
/// The record with sequence `q` must land at `base + q`. [`Ownership::proven`] is the largest `q`
/// for which all of 1..q did; nothing that depends on a later record may leave the process.
#[derive(Debug)]
pub struct Ownership {
    shard: u16,
    epoch: u64,
    nonce: u128,
    base: u64,
    next_seq: u64,
    proven: u64,
    ahead: BTreeSet<u64>,
    broken: Option<BrokenProof>,
}

/// A record did not land where the owner's record must land: the shard is *Recovering*.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard}: record {seq} of epoch {epoch} must stand at offset {expected}, but {found}",
    found = .found.map_or_else(|| "its offset is unknown".to_owned(), |found| format!("was reported at {found}")))]
pub struct BrokenProof {
    /// Shard.
    pub shard: u16,
    /// The owner's epoch.
    pub epoch: u64,
    /// Sequence of the record.
    pub seq: u64,
    /// Where it had to land.
    pub expected: u64,
    /// Where it landed, if that is known.
    pub found: Option<u64>,
}

impl BrokenProof {
    /// Whether the report lies below the expected offset. No other owner can cause that: the log
    /// lost records, and the shard stops instead of claiming again.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.found.is_some_and(|found| found < self.expected)
    }
}

impl Ownership {
    /// The owner whose claim counted at offset `base`.
    #[must_use]
    pub fn new(shard: u16, epoch: u64, nonce: u128, base: u64) -> Self {
        Self { shard, epoch, nonce, base, next_seq: 1, proven: 0, ahead: BTreeSet::new(), broken: None }
    }

    /// Shard.
    #[must_use]
    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// Epoch of the claim.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Nonce of the claim.
    #[must_use]
    pub fn nonce(&self) -> u128 {
        self.nonce
    }

    /// Offset of the claim.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Sequence of the next record to stamp.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Largest sequence up to which every record is proven; 0 before the first.
    #[must_use]
    pub fn proven(&self) -> u64 {
        self.proven
    }

    /// Offset at which the record with sequence `seq` must land.
    #[must_use]
    pub fn offset_of(&self, seq: u64) -> u64 {
        self.base + seq
    }

    /// The fence of this owner's next record.
    pub fn stamp(&mut self, kind: Kind) -> Fence {
        let seq = self.next_seq;
        self.next_seq += 1;
        Fence { kind, epoch: self.epoch, nonce: self.nonce, seq }
    }

    /// Takes the report of one record: `offset` as the log gave it, none for an error.
    ///
    /// # Errors
    /// [`BrokenProof`] when it is not the expected offset, and from then on for every report: this
    /// ownership proves nothing any more.
    pub fn report(&mut self, seq: u64, offset: Option<u64>) -> Result<(), BrokenProof> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let expected = self.base.saturating_add(seq);
        if offset != Some(expected) || seq == 0 || seq >= self.next_seq {
            let broken = BrokenProof { shard: self.shard, epoch: self.epoch, seq, expected, found: offset };
            self.broken = Some(broken.clone());
            return Err(broken);
        }
        if seq > self.proven {
            self.ahead.insert(seq);
        }
        while self.ahead.remove(&(self.proven + 1)) {
            self.proven += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(records: u64) -> Ownership {
        let mut owner = Ownership::new(2, 7, 9, 100);
        for seq in 1..=records {
            let fence = owner.stamp(Kind::Commit);
            assert_eq!(fence, Fence { kind: Kind::Commit, epoch: 7, nonce: 9, seq });
            assert_eq!(owner.offset_of(seq), 100 + seq);
        }
        owner
    }

    /// PLAT-6: the claim's own offset and sequences that were never given out prove nothing.
    #[test]
    fn only_stamped_records_can_be_reported() {
        assert!(owner(3).report(0, Some(100)).is_err());
        assert!(owner(3).report(4, Some(104)).is_err());
        assert!(owner(3).report(3, Some(103)).is_ok());
    }

    proptest! {
        /// PLAT-1, PLAT-6: in whatever order good reports come, and come again, proven is what is whole from the first.
        #[test]
        fn proven_is_the_whole_beginning(order in Just((1..=30_u64).collect::<Vec<_>>()).prop_shuffle(), again in 1..=30_usize) {
            let mut owner = owner(30);
            let mut reported = BTreeSet::new();
            for (i, seq) in order.iter().chain(&order[..again]).enumerate() {
                prop_assert_eq!(owner.report(*seq, Some(100 + seq)), Ok(()));
                reported.insert(*seq);
                let whole = (1..).take_while(|seq| reported.contains(seq)).last().unwrap_or(0);
                prop_assert_eq!(owner.proven(), whole, "after {} reports", i + 1);
            }
        }

        /// PLAT-1, PLAT-6: one wrong, missing or impossible report ends the ownership; what was proven stays.
        #[test]
        fn any_other_report_breaks_the_proof(good in 0..20_u64, seq in 0..40_u64, offset in proptest::option::of(0..200_u64)) {
            prop_assume!(offset != Some(100 + seq) || seq == 0 || seq > 20);
            let mut owner = owner(20);
            for seq in 1..=good {
                owner.report(seq, Some(100 + seq)).unwrap();
            }
            let broken = owner.report(seq, offset).unwrap_err();
            prop_assert_eq!(broken.is_damage(), offset.is_some_and(|offset| offset < 100 + seq));
            prop_assert_eq!(owner.report(good + 1, Some(101 + good)), Err(broken));
            prop_assert_eq!(owner.proven(), good);
        }
    }
}
