//! Where a reader stands, so that it can go on exactly there and notice a log that changed below it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::record::Genesis;
use crate::rule_f::State;

/// The place of a reader after a record: everything that rule F and a damage check need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// The log that it belongs to.
    pub log_id: Uuid,
    /// Its generation.
    pub generation: u32,
    /// The shard.
    pub shard: u16,
    /// Offset of the next record to read.
    pub next_offset: u64,
    /// Offset of the last record that counted; none before GENESIS was read.
    pub last_counted: Option<u64>,
    /// Epoch after that record.
    pub epoch: u64,
    /// Nonce after that record, 32 hexadecimal digits in its serialised form.
    #[serde(with = "nonce")]
    pub nonce: u128,
    /// Sequence that the next record of the epoch must carry.
    pub next_seq: u64,
}

impl Cursor {
    /// The cursor before the first record of `shard`.
    #[must_use]
    pub fn beginning(genesis: &Genesis, shard: u16) -> Self {
        Self {
            log_id: genesis.log_id,
            generation: genesis.generation,
            shard,
            next_offset: 0,
            last_counted: None,
            epoch: 0,
            nonce: 0,
            next_seq: 0,
        }
    }

    /// The state of rule F at this place.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            begun: self.last_counted.is_some(),
            epoch: self.epoch,
            nonce: self.nonce,
            next_seq: self.next_seq,
        }
    }

    /// Moves past the record at `offset`.
    pub(crate) fn pass(&mut self, offset: u64, state: State, counted: bool) {
        self.next_offset = offset + 1;
        if counted {
            self.last_counted = Some(offset);
            (self.epoch, self.nonce, self.next_seq) = (state.epoch, state.nonce, state.next_seq);
        }
    }
}

/// Where a reader starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At offset 0 of this shard.
    Beginning(u16),
    /// Where another reader stood.
    Cursor(Cursor),
    /// At the last place not behind `offset` of which the log knows what counted before: in files, the end of
    /// the shard or the beginning of a segment; elsewhere offset 0. Records before `offset` may come first.
    Before {
        /// The shard.
        shard: u16,
        /// First offset that is wanted.
        offset: u64,
    },
}

/// 128 bits as 32 hexadecimal digits: JSON has no number that wide.
pub(crate) mod nonce {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(nonce: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{nonce:032x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let digits = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u128::from_str_radix(&digits, 16).map_err(serde::de::Error::custom)
    }
}
