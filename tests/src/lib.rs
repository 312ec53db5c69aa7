//! The judge of a running system: it sees only what clients saw and what the log published, uses no
//! code of the product but its contracts, and names every contradiction between the two.

pub mod checker;
pub mod history;
pub mod published;
