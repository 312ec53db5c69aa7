//! How the service is, for readiness.

use std::sync::Arc;

use super::following::NEAR_RECORDS;
use crate::shard::Status;

/// How one shard is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardStatus {
    /// Number.
    pub shard: u16,
    /// Phase.
    pub status: Status,
    /// Where its owner is reached, as the owner's claim says; empty when that is not known, or when no other
    /// process can own it.
    pub owner: Arc<str>,
    /// Offset up to which its records are proven here.
    pub next_offset: u64,
    /// Next offset of its log; above `next_offset` while it is being read.
    pub end: u64,
    /// Whether the clock was that of the log at the last claim, or was set since.
    pub trusts_clock: bool,
}

impl ShardStatus {
    /// Whether it is owned here, or read here nearly to its end and owned elsewhere.
    #[must_use]
    pub fn takes_commands(&self) -> bool {
        match self.status {
            Status::Owner => true,
            Status::Following => !self.owner.is_empty() && self.is_near(),
            Status::Claiming | Status::Draining | Status::Stopped(_) => false,
        }
    }

    /// Whether a process that is so may own shards.
    #[must_use]
    pub fn may_own(&self) -> bool {
        self.is_near() && self.trusts_clock && !matches!(self.status, Status::Stopped(_))
    }

    /// Whether little of its log is still to be read.
    #[must_use]
    pub fn is_near(&self) -> bool {
        self.end.saturating_sub(self.next_offset) <= NEAR_RECORDS
    }
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Every shard, in order.
    pub shards: Vec<ShardStatus>,
}

impl ServiceStatus {
    /// Whether every shard takes commands, here or at another process that owns it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shards.iter().all(ShardStatus::takes_commands)
    }

    /// Shards that damage stopped, with the place that it names.
    pub fn stopped(&self) -> impl Iterator<Item = (u16, &str)> {
        self.shards.iter().filter_map(|shard| match &shard.status {
            Status::Stopped(place) => Some((shard.shard, place.as_str())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLAT-6, PLAT-11: whoever is far behind, distrusts its clock or cannot read a shard owns none.
    #[test]
    fn who_may_own() {
        let fit = ShardStatus {
            shard: 0,
            status: Status::Following,
            owner: "".into(),
            next_offset: 5,
            end: 5 + NEAR_RECORDS,
            trusts_clock: true,
        };
        assert!(fit.may_own());
        assert!(!ShardStatus { next_offset: 4, ..fit.clone() }.may_own());
        assert!(!ShardStatus { trusts_clock: false, ..fit.clone() }.may_own());
        assert!(!ShardStatus { status: Status::Stopped("place".into()), ..fit }.may_own());
    }
}
