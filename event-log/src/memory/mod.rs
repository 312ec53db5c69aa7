//! The log in memory, for unit tests and simulation.
//!
//! [`MemoryCore`] is synchronous and deterministic: it knows no clock and makes no choice. Whoever
//! drives it decides which batch in flight lands when, twice, in another order or never, whether the
//! report of it arrives, and when a confirmed tail is lost.

mod backend;
mod core;

pub(crate) use backend::Memory;
pub use backend::{Fault, FaultHandle, MemoryOptions};
pub use core::{BatchId, MemoryCore};
