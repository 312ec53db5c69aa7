//! The rules of architecture.md that a compiler does not hold.

mod crates;
mod licences;
mod purity;
mod recipe;
mod sizes;
pub(crate) mod sources;
