//! The services, each alone or all in one process.

pub(crate) mod command_service;
pub(crate) mod dev;
mod gate;
pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod ops;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod projectors;
pub(crate) mod query_api;
