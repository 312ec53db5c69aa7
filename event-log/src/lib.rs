//! The log of Gesta: one record per command, an owner per shard, and one rule that says what counts.
//!
//! A shard is an ordered sequence of records with offsets 0, 1, 2, … Whoever wants to write it
//! appends a CLAIM and reads it back ([`Log::claim`]); [`Ownership`] stamps that owner's records and
//! proves them by their offsets. Every reader applies the same pure [`rule_f`], so a stale owner's
//! records, duplicates and reorderings vanish identically for everyone. docs/guarantees.md states
//! the rule on one page, with test vectors.
//!
//! [`Log`] is one handle over several backends: segment files ([`Log::open`]), a topic of
//! Kafka ([`Log::kafka`]) and memory ([`Log::memory`], whose synchronous core with fault injection is
//! [`memory::MemoryCore`]).

mod claim;
mod cursor;
mod embedded;
mod fence;
mod handle;
mod inspect;
mod kafka;
mod membership;
pub mod memory;
mod ownership;
mod reader;
mod record;
pub mod rule_f;
mod source;
mod stored;

pub use claim::{ClaimAttempt, ClaimError, Claimed};
pub use cursor::{Cursor, Start};
pub use embedded::{Cut, EmbeddedOptions, OpenError, Report, SegmentReport, ShardReport, check, show};
pub use fence::{FENCE_BYTES, Fence, FenceError, Kind};
pub use handle::{AppendError, Log, MAX_BATCH_BYTES};
pub use inspect::{VoidFence, VoidRecord};
pub use kafka::{KafkaError, KafkaOptions, PublishError, Publisher, PublisherOptions};
pub use membership::{Hint, Membership};
pub use memory::MemoryOptions;
pub use ownership::{BrokenProof, Ownership};
pub use reader::{Content, Counted, ReadError, Reader};
pub use record::{ClaimValue, FORMAT, Genesis, Record};
