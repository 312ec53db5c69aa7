//! The projections: from the log into rows.
//!
//! [`run`] follows every shard of a log, folds its events into the read models with pure functions
//! ([`Projection`]) and writes them with the cursor in one transaction. [`Status`] tells how far it is.
//! A read-model projection never writes to the log.

pub mod event;
#[cfg(test)]
mod given;
mod options;
pub mod projection;
mod publisher;
pub mod read_models;
mod rebuild;
mod runner;
pub mod stage;
mod status;
mod store;
mod trace;

pub use event::Event;
pub use options::{
    BATCH_BYTES, BATCH_COMMITS, CACHE_BYTES, Options, PARKED_LETTERS, PARKED_STREAMS, WRITERS,
};
pub use projection::Projection;
pub use publisher::{PUBLISHER, Personal, PublishOptions};
pub use rebuild::{RebuildError, rebuild};
pub use runner::{RunError, run};
pub use status::{Progress, State, Status};
pub use trace::trace;
