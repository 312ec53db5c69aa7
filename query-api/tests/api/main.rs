//! The query API against a real Postgres, over its real router.

#![expect(clippy::unwrap_used, reason = "a helper of a test stops at the first surprise")]

mod api;
mod audit;
mod consistency;
mod dead_letters;
mod feeds;
mod filters;
mod hostile;
mod indexes;
mod paging;
mod provenance;
mod rows;
mod rules;
mod search;
mod sockets;
mod tenants;
mod views;
