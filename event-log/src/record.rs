//! Records and the values of those that are not commits.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fence::{Fence, Kind};

/// Format of the records and files that this release writes, and the newest one that it reads.
pub const FORMAT: u32 = 1;

/// One record, as it is handed to [`Log::append`](crate::Log::append).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its header.
    pub fence: Fence,
    /// The home stream, for people who look at the log; the shard is given explicitly.
    pub key: String,
    /// JSON: a [`Commit`](schemas::commit::Commit), [`Genesis`], [`ClaimValue`] or `{}` (barrier).
    pub value: Bytes,
}

impl Record {
    /// A barrier under `fence`.
    #[must_use]
    pub fn barrier(fence: Fence) -> Self {
        Self { fence, key: String::new(), value: Bytes::from_static(b"{}") }
    }

    /// Bytes of fence, key and value together; at most
    /// [`MAX_COMMIT_BYTES`](schemas::commit::MAX_COMMIT_BYTES).
    #[must_use]
    pub fn size(&self) -> usize {
        crate::fence::FENCE_BYTES + self.key.len() + self.value.len()
    }
}

/// The first record of every shard: which log this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Genesis {
    /// Made at random when the log was created; every cursor carries it.
    pub log_id: Uuid,
    /// Name of the deployment that the log belongs to.
    pub deployment: String,
    /// 1 for a new log; a migration to another number of shards opens the next one.
    pub generation: u32,
    /// Number of shards; never changes within a generation.
    pub shards: u16,
    /// Format of the records, [`FORMAT`] when this release created the log.
    pub format: u32,
}

impl Genesis {
    /// The record that stands at offset 0 of every shard.
    #[must_use]
    pub fn record(&self) -> Record {
        let value = serde_json::to_vec(self).expect("a struct of plain fields serialises");
        let fence = Fence { kind: Kind::Genesis, epoch: 0, nonce: 0, seq: 0 };
        Record { fence, key: String::new(), value: value.into() }
    }
}

/// What a claim says about its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimValue {
    /// Where the owner is reached, `host:port`; empty when nobody may forward to it.
    pub address: String,
}
