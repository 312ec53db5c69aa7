//! What a read model is.

use std::hash::Hash;

use migrations::table::Table;
use schemas::ids::Tenant;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::event::Event;

/// A read model: a pure function from a row and an event to the next row, and nothing else.
///
/// No value of a row comes from anywhere but its events: no clock, no configuration, no other row.
/// Then a rebuilt row equals the live one.
pub trait Projection<I = Event>: Send + Sync + 'static {
    /// What an event's row is found by: the fold columns of the table.
    type Key: Clone + Eq + Hash + Ord + Send + Sync + 'static;
    /// A row.
    type Row: Clone + Send + Sync + Unpin + for<'r> FromRow<'r, PgRow> + 'static;

    /// Name of the projection, the table and the file.
    const NAME: &'static str;
    /// Aggregate types that it reads; empty for all. An event of these that cannot be decoded stops it.
    const READS: &'static [&'static str];
    /// The table.
    const TABLE: &'static Table<Self::Row>;
    /// Whether every event has a row of its own, so that there is nothing to load and to keep at hand.
    const APPENDS: bool = false;

    /// The row that the event is folded into; `None` when it concerns none.
    fn key(input: &I) -> Option<Self::Key>;
    /// The key of a stored row.
    fn key_of(row: &Self::Row) -> Self::Key;
    /// One array per fold column of the table, to load the rows of these keys.
    fn arrays(keys: &[Self::Key]) -> Vec<KeyArray>;
    /// Whether no row can be there before the event.
    fn is_first(input: &I) -> bool;
    /// How the event stands to the row. By default, the next.
    fn order(_row: Option<&Self::Row>, _input: &I) -> Order {
        Order::Next
    }
    /// The row after the event. A row that is there never vanishes; one that the event does not change
    /// keeps its version. Where the key of the result differs, the former row stays as it is beside it.
    fn fold(row: Option<Self::Row>, input: &I) -> Option<Self::Row>;
}

/// How an event stands to the row it is to be folded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It is in the row already.
    Applied,
    /// It is the next.
    Next,
    /// One before it is missing: the table was changed by someone else.
    Gap,
}

impl Order {
    /// For a read model into whose row every event of the stream is folded, except those that were given up.
    #[must_use]
    pub fn of(row_version: Option<i64>, event: &Event) -> Self {
        let row = row_version.unwrap_or(0);
        if event.version() <= row {
            Self::Applied
        } else if event.follows() <= row {
            Self::Next
        } else {
            Self::Gap
        }
    }
}

/// Values of one fold column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyArray {
    /// `text[]`.
    Text(Vec<String>),
    /// `uuid[]`.
    Uuid(Vec<Uuid>),
    /// `integer[]`.
    Integer(Vec<i32>),
}

/// The key of a row per aggregate.
pub type AggregateKey = (Tenant, Uuid);

/// The aggregate that an event happened to.
#[must_use]
pub fn aggregate_key(event: &Event) -> AggregateKey {
    (event.tenant().clone(), event.aggregate_id())
}

/// The arrays of rows per aggregate.
#[must_use]
pub fn aggregate_arrays(keys: &[AggregateKey]) -> Vec<KeyArray> {
    let tenants = keys.iter().map(|(tenant, _)| tenant.as_str().to_owned()).collect();
    vec![KeyArray::Text(tenants), KeyArray::Uuid(keys.iter().map(|(_, id)| *id).collect())]
}
