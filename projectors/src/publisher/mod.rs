//! `publisher`: the projection whose rows are the records of the public topics (log.md §9).
//!
//! Counted commits only, at least once: the cursor moves after the brokers confirmed every event up to it. Two
//! publishers at once repeat each other's records and lose nothing; per key the first of each stand in order.

mod outlet;
mod records;
mod shard;

use event_log::PublisherOptions;

pub(crate) use outlet::Outlet;
pub(crate) use shard::{Context, run};

/// Name of the projection.
pub const PUBLISHER: &str = "publisher";

/// How the public topics are fed.
#[derive(Debug, Clone)]
pub struct PublishOptions {
    /// The topics and the way to them.
    pub topics: PublisherOptions,
    /// What becomes of fields that may hold personal data.
    pub personal: Personal,
}

/// What becomes of fields that may hold personal data, in the public topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Personal {
    /// `[withheld]` stands in their place.
    #[default]
    Withhold,
    /// They are published as they are.
    Publish,
}
