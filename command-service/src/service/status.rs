//! How the service is, for readiness.

use crate::shard::Status;

/// How one shard is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardStatus {
    /// Number.
    pub shard: u16,
    /// Phase.
    pub status: Status,
    /// Offset up to which its records are proven here.
    pub next_offset: u64,
    /// Next offset of its log; above `next_offset` while it is being read.
    pub end: u64,
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Every shard, in order.
    pub shards: Vec<ShardStatus>,
}

impl ServiceStatus {
    /// Whether every shard takes commands.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shards.iter().all(|shard| shard.status == Status::Owner)
    }

    /// Shards that damage stopped, with the place that it names.
    pub fn stopped(&self) -> impl Iterator<Item = (u16, &str)> {
        self.shards.iter().filter_map(|shard| match &shard.status {
            Status::Stopped(place) => Some((shard.shard, place.as_str())),
            _ => None,
        })
    }
}
