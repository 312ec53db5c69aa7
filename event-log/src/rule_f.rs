//! Rule F: which records of a shard count (log.md §2, docs/guarantees.md).
//!
//! A pure function from state and header to state and verdict, the same for the owner, followers,
//! projections and tools. It looks at no value, no clock and, but for GENESIS, at no offset.

use bytes::Bytes;

use crate::fence::{Fence, Kind, epoch_and_nonce};

/// What rule F knows of a shard after some of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Whether offset 0 held a GENESIS; without it nothing counts.
    pub begun: bool,
    /// Epoch of the last claim that counted; 0 before the first.
    pub epoch: u64,
    /// Nonce of that claim.
    pub nonce: u128,
    /// Sequence that the next record of that epoch must carry.
    pub next_seq: u64,
}

/// A record's header as it was found: ours, or something that this release does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// A fence of this release.
    Fence(Fence),
    /// Anything else, or nothing at all.
    Other(Bytes),
}

impl Header {
    /// Reads a header; never fails, because a foreign record is void and not an error.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Self {
        Fence::decode(octets).map_or_else(|_| Self::Other(Bytes::copy_from_slice(octets)), Self::Fence)
    }

    /// The octets of the header.
    #[must_use]
    pub fn octets(&self) -> Bytes {
        match self {
            Self::Fence(fence) => Bytes::copy_from_slice(&fence.encode()),
            Self::Other(octets) => octets.clone(),
        }
    }
}

/// What a record is under rule F.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Counts(Kind),
    /// It changes nothing anywhere.
    Void,
    /// It is the current owner's (or opens the next epoch), but this release cannot read its
    /// header: the reader stops and says so. It is never void.
    Unreadable,
}

/// Applies one record.
#[must_use]
pub fn step(state: State, offset: u64, header: &Header) -> (State, Verdict) {
    let fence = match header {
        Header::Fence(fence) => fence,
        Header::Other(octets) => return (state, other(state, octets)),
    };
    let owners = state.begun && state.epoch > 0 && (fence.epoch, fence.nonce) == (state.epoch, state.nonce);
    let next = match fence.kind {
        Kind::Genesis if offset == 0 => State { begun: true, epoch: 0, nonce: 0, next_seq: 0 },
        Kind::Claim if state.begun && Some(fence.epoch) == state.epoch.checked_add(1) => {
            State { begun: true, epoch: fence.epoch, nonce: fence.nonce, next_seq: 1 }
        }
        Kind::Commit | Kind::Barrier if owners && fence.seq == state.next_seq => {
            State { next_seq: state.next_seq + 1, ..state }
        }
        _ => return (state, Verdict::Void),
    };
    (next, Verdict::Counts(fence.kind))
}

/// The verdict on a header that is no fence of this release.
fn other(state: State, octets: &[u8]) -> Verdict {
    let Some((epoch, nonce)) = epoch_and_nonce(octets) else { return Verdict::Void };
    let owners = state.epoch > 0 && (epoch, nonce) == (state.epoch, state.nonce);
    let next_claim = octets[0] == Kind::Claim.code() && Some(epoch) == state.epoch.checked_add(1);
    if state.begun && (owners || next_claim) { Verdict::Unreadable } else { Verdict::Void }
}

#[cfg(test)]
mod tests;
