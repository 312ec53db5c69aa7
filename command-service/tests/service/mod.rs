//! The running service on a real log.

mod restart;
mod spine;
mod takeover;
