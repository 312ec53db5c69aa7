//! Rows into and out of Postgres, by the column list of their table.

mod binary;
mod clean;
mod cursors;
mod discards;
mod jsonb;
mod letters;
mod load;
mod publisher;
mod write;

pub(crate) use cursors::{Marks, Stored, advance, advance_quietly, begin, resume, stop, stored};
pub(crate) use discards::{discard, discarded_events, given_up, leave_out};
pub(crate) use letters::{Sequence, applied, due, first, park, parked, refused, release};
pub(crate) use load::current;
pub(crate) use publisher::{carry, rewind};
pub(crate) use write::write;

/// From this many rows on `COPY` is faster than arrays.
pub(crate) const COPY_FROM_ROWS: usize = 2_000;
