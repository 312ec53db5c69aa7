//! The real program: started as a user starts it, with a data folder and a database of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[cfg(target_os = "linux")]
mod clocks;
mod configuration;
mod database;
mod dead_letters;
mod demo;
mod events;
mod gesta;
mod index;
mod kafka;
mod peers;
mod postgres_gone;
mod python;
mod replicas;
mod takeover;
mod worker;
