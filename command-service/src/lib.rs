//! The write side: the HTTP edge, the shards that own streams, and the aggregates that decide.
//!
//! `aggregates` and `shard` are pure: no async, clock, randomness or IO. `service` moves messages
//! between them and the log; `http` turns requests into submissions and answers into responses.

pub mod aggregates;
pub mod command;
pub mod http;
mod names;
pub mod principal;
pub mod service;
pub mod shard;
pub mod store;
