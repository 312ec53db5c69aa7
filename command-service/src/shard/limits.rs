//! Limits of one shard.

use chrono::TimeDelta;

/// Most commands that wait for their answer.
pub const MAX_WAITING_COMMANDS: usize = 8_192;
/// Most bytes of the commands that wait for their answer: encoded commits, or bodies where undecided.
pub const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Most records of one batch.
pub const MAX_BATCH_RECORDS: usize = 4_096;
/// Most bytes of one batch; half of what the log takes.
pub const MAX_BATCH_BYTES: usize = event_log::MAX_BATCH_BYTES / 2;
/// Most deadlines that one tick issues; the rest follow in the next.
pub const MAX_DUE_PER_TICK: usize = 256;
/// Least time between two barriers: at most 20 a second.
pub const BARRIER_INTERVAL: TimeDelta = TimeDelta::milliseconds(50);
/// After so many broken proofs in a row commands go one per batch.
pub const ISOLATE_AFTER: u32 = 2;
/// How often commands are looked through for those that nobody waits for, while the shard has no owner.
pub const EXPIRY_INTERVAL: TimeDelta = TimeDelta::milliseconds(100);
/// Streams after which a generation of them is old; memory holds at most two, and what has not been
/// saved yet, beside dispatch and deadlines.
pub const GENERATION_STREAMS: usize = 8_192;
/// Command ids after which a generation of them is old.
pub const GENERATION_COMMANDS: usize = 32_768;
