//! Tools for operators that look at the data themselves: the log of a stopped Gesta, the database.

pub(crate) mod events;
pub(crate) mod log;
pub(crate) mod migrate;
