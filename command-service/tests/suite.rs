//! Tests of the command service from outside: the running service, and the simulation of the shard.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod service;
mod simulation;
mod state_machines;
mod support;
