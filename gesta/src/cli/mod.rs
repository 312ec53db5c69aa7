//! Commands for people. They speak HTTP, as every client does: writes as commands, reads as queries.

pub(crate) mod act;
mod bar;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod index;
pub(crate) mod output;
mod plan;
pub(crate) mod read;
pub(crate) mod search;
