//! The shapes of the stores against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a helper of a test stops at the first surprise")]

mod abandoned;
mod catalogue;
mod database;
mod isolation;
mod migrating;
