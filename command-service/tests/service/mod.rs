//! The running service on a real log.

mod spine;
