//! The running service on a real log.

mod releases;
mod restart;
mod spine;
mod takeover;
