//! How a run is set up.

use crate::publisher::PublishOptions;
use crate::status::Status;

/// Most commits of one batch.
pub const BATCH_COMMITS: usize = 10_000;
/// Most bytes of payloads of one batch; a single larger commit still makes one.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of rows kept at hand, by all shards together.
pub const CACHE_BYTES: usize = 160 * 1024 * 1024;
/// Transactions that write at the same time: more only get into each other's way.
pub const WRITERS: usize = 2;

/// Most streams that one projection may have parked, all shards together: past it the projection stops.
pub const PARKED_STREAMS: usize = 100_000;
/// Most dead letters of one stream that one projection may have parked.
pub const PARKED_LETTERS: usize = 10_000;

/// How a run is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Generation of the tables to write; `None` for the live one.
    pub generation: Option<u32>,
    /// Projections to run, such as `task_list`; empty for all. `queue_depth` runs with `task_list`.
    pub projections: Vec<String>,
    /// Most commits of one batch, at least 1.
    pub batch_commits: usize,
    /// Most bytes of payloads of one batch.
    pub batch_bytes: usize,
    /// Bytes of rows kept at hand, by all shards together.
    pub cache_bytes: usize,
    /// Transactions that write at the same time, at least 1. The pool should have two connections more.
    pub writers: usize,
    /// How the public topics are fed; `None` for not at all.
    pub publish: Option<PublishOptions>,
    /// Most streams that one projection may have parked, all shards together.
    pub parked_streams: usize,
    /// Most dead letters of one stream that one projection may have parked.
    pub parked_letters: usize,
    /// End when everything that the log holds is applied, instead of waiting for more. Such a run parks
    /// nothing: it ends before an event that it cannot read.
    pub until_end: bool,
    /// Shows how far the run is.
    pub status: Status,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            generation: None,
            projections: Vec::new(),
            batch_commits: BATCH_COMMITS,
            batch_bytes: BATCH_BYTES,
            cache_bytes: CACHE_BYTES,
            writers: WRITERS,
            publish: None,
            parked_streams: PARKED_STREAMS,
            parked_letters: PARKED_LETTERS,
            until_end: false,
            status: Status::default(),
        }
    }
}
