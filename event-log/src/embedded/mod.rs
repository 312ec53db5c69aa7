//! The log in segment files of one directory (log.md §7).

mod options;

pub use options::{EmbeddedOptions, OpenError};
