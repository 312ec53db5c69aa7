//! Claiming a shard: append a CLAIM, read it back, and see whether it counted.

use chrono::{DateTime, TimeDelta, Utc};

use crate::cursor::Cursor;
use crate::fence::{Fence, Kind};
use crate::handle::AppendError;
use crate::ownership::Ownership;
use crate::reader::ReadError;
use crate::record::{ClaimValue, Record};

/// A claim that counted.
#[derive(Debug)]
pub struct Claimed {
    /// Stamps and proves the owner's records.
    pub ownership: Ownership,
    /// The cursor right after the claim.
    pub cursor: Cursor,
    /// `at` of the shard's last counted commit: shard time may not go below it.
    pub last_at: Option<DateTime<Utc>>,
    /// When the log appended the claim, by the log's clock.
    pub appended_at: DateTime<Utc>,
    /// When it was sent, by this process's clock.
    pub sent_at: DateTime<Utc>,
    /// When it was reported, by this process's clock.
    pub reported_at: DateTime<Utc>,
}

/// How far this process's clock may be from the log's.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::seconds(5);

impl Claimed {
    /// How far this process's clock is off, if that is more than 5 s: then it must not decide when leases end.
    #[must_use]
    pub fn clock_difference(&self) -> Option<TimeDelta> {
        let early = self.sent_at - self.appended_at;
        let late = self.appended_at - self.reported_at;
        [early, late].into_iter().find(|difference| *difference > MAX_CLOCK_DIFFERENCE)
    }
}

/// Why a shard was not claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another claim counted first. Back off 0.2 to 2 s, and claim again if still assigned.
    #[error("shard {shard}: another owner claimed epoch {epoch} first")]
    Lost {
        /// Shard.
        shard: u16,
        /// The epoch that the log stands at.
        epoch: u64,
    },
    /// The claim was read back as skipping an epoch: the log lost a claim that it had confirmed.
    /// The shard stops; claiming over it could hide lost records.
    #[error(
        "shard {shard}: the claim of epoch {claimed} was read back after epoch {found}; the log lost records, \
         so this shard stays stopped. Run `gesta log check` and restore the log from a copy"
    )]
    Damaged {
        /// Shard.
        shard: u16,
        /// Epoch of the claim.
        claimed: u64,
        /// Epoch that the log stands at.
        found: u64,
    },
    /// The claim could not be appended; whether it counts is open. Claim again.
    #[error("the claim was not confirmed: {0}")]
    Append(#[from] AppendError),
    /// The claim could not be read back.
    #[error("the claim could not be read back: {0}")]
    Read(#[from] ReadError),
}

/// One attempt to claim a shard; pure, the same for every backend and for the simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimAttempt {
    /// Shard.
    pub shard: u16,
    /// The epoch that it would open.
    pub epoch: u64,
    /// Its nonce; must be fresh.
    pub nonce: u128,
    /// Where the owner is reached.
    pub address: String,
}

impl ClaimAttempt {
    /// The attempt of a process that has read the shard up to `cursor`.
    #[must_use]
    pub fn new(cursor: &Cursor, nonce: u128, address: &str) -> Self {
        Self { shard: cursor.shard, epoch: cursor.epoch + 1, nonce, address: address.to_owned() }
    }

    /// The record to append.
    #[must_use]
    pub fn record(&self) -> Record {
        let value = ClaimValue { address: self.address.clone() };
        let value = serde_json::to_vec(&value).expect("a struct of one string serialises");
        let fence = Fence { kind: Kind::Claim, epoch: self.epoch, nonce: self.nonce, seq: 0 };
        Record { fence, key: String::new(), value: value.into() }
    }

    /// Decides by reading back: `after` is the cursor of a reader that read up to and including
    /// the record at `offset`, where the claim was reported.
    ///
    /// # Errors
    /// [`ClaimError::Lost`] or [`ClaimError::Damaged`]; nothing else.
    pub fn decide(&self, offset: u64, after: &Cursor) -> Result<Ownership, ClaimError> {
        let counted = after.next_offset == offset + 1
            && after.last_counted == Some(offset)
            && (after.epoch, after.nonce) == (self.epoch, self.nonce);
        if counted {
            Ok(Ownership::new(self.shard, self.epoch, self.nonce, offset))
        } else if after.epoch + 1 < self.epoch {
            Err(ClaimError::Damaged { shard: self.shard, claimed: self.epoch, found: after.epoch })
        } else {
            Err(ClaimError::Lost { shard: self.shard, epoch: after.epoch })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FORMAT, Genesis};

    /// PLAT-6, PLAT-11: the log's time of a claim lies between its sending and its report, give or take 5 s.
    #[test]
    fn a_clock_is_trusted_within_five_seconds() {
        let sent_at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let (log_id, deployment) = (uuid::Uuid::nil(), "test".to_owned());
        let genesis = Genesis { log_id, deployment, generation: 1, shards: 1, format: FORMAT };
        let cursor = Cursor::beginning(&genesis, 0);
        let difference = |appended: i64, reported: i64| {
            let after = |milliseconds| sent_at + TimeDelta::milliseconds(milliseconds);
            let claimed = Claimed {
                ownership: Ownership::new(0, 1, 1, 1),
                cursor,
                last_at: None,
                appended_at: after(appended),
                sent_at,
                reported_at: after(reported),
            };
            claimed.clock_difference().map(|difference| difference.num_milliseconds())
        };
        assert_eq!((difference(-5_000, 10), difference(-5_001, 10)), (None, Some(5_001)));
        assert_eq!((difference(5_010, 10), difference(5_011, 10)), (None, Some(5_001)));
        assert_eq!(difference(60_000, 60_000), None, "a slow report says nothing of the clock");
    }
}
