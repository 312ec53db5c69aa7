//! What tests of the running system share: the executable, its database, its processes.

pub(crate) mod database;
pub(crate) mod gesta;
