//! How requests come in and answers go out.

pub(crate) mod caller;
pub(crate) mod http;
pub(crate) mod media;
pub(crate) mod messages;
mod operation;
pub(crate) mod params;
pub(crate) mod sockets;
pub(crate) mod ws;
