//! What tests of the running system share: the executable, its database, its processes.

pub(crate) mod api;
pub(crate) mod brokers;
pub(crate) mod database;
pub(crate) mod eventually;
pub(crate) mod filling;
pub(crate) mod gesta;
#[expect(dead_code, reason = "shared with the tests of the log, which use the rest")]
pub(crate) mod proxy;
pub(crate) mod shared;
pub(crate) mod tasks;
