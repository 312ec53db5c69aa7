//! The projections against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a helper of a test stops at the first surprise")]

#[path = "../../../migrations/tests/stores/database.rs"]
mod database;
mod dead_letters;
mod discards;
mod equality;
mod faults;
mod fixture;
mod history;
mod isolation;
mod poison;
mod publishing;
mod queue_view;
mod stopping;
mod table;
