//! Pages by keyset: opaque cursors that belong to one tenant and one query, and their SQL.

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{ObjectType, OutputType};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemas::ids::Tenant;
use schemas::problem::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use sqlx::{Postgres, QueryBuilder};

use crate::limits::{DEFAULT_PAGE, MAX_PAGE};
use crate::problem::Problem;

const VERSION: u8 = 1;
const SEAL_BYTES: usize = 12;
/// Longest cursor that is read, in characters.
const MAX_CURSOR_CHARS: usize = 512;

/// What a cursor belongs to: tenant, field, filter and order; not the size of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape([u8; 32]);

impl Shape {
    pub(crate) fn new(tenant: &Tenant, field: &str, query: &impl Serialize) -> Self {
        let query = serde_json::to_string(query).expect("a filter is plain data with text keys");
        let mut hash = Sha256::new();
        for part in [tenant.as_str(), field, &query] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Self(hash.finalize().into())
    }

    fn seal(&self, key: &[u8]) -> [u8; SEAL_BYTES] {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(key);
        let digest: [u8; 32] = hash.finalize().into();
        std::array::from_fn(|index| digest[index])
    }

    /// The cursor of the item whose key in the order is `key`.
    pub(crate) fn encode(&self, key: &impl Serialize) -> String {
        let key = serde_json::to_vec(key).expect("a key is a tuple of numbers, texts and ids");
        let mut octets = vec![VERSION];
        octets.extend(self.seal(&key));
        octets.extend(key);
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// The key in a cursor.
    ///
    /// # Errors
    /// `invalid_cursor` when it was changed or is not of this tenant and query.
    pub(crate) fn decode<K: DeserializeOwned>(&self, cursor: &str, argument: &str) -> Result<K, Problem> {
        let bad = || {
            let detail = format!("`{argument}` is not a cursor of this query with this filter and order");
            Problem::new(Code::InvalidCursor, detail)
        };
        if cursor.len() > MAX_CURSOR_CHARS {
            return Err(bad());
        }
        let octets = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
        let (version, rest) = octets.split_first().ok_or_else(bad)?;
        let (seal, key) = rest.split_first_chunk::<SEAL_BYTES>().ok_or_else(bad)?;
        if *version != VERSION || *seal != self.seal(key) {
            return Err(bad());
        }
        serde_json::from_slice(key).map_err(|_| bad())
    }
}

/// The paging arguments as they were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageArguments {
    pub(crate) first: Option<i32>,
    pub(crate) last: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) before: Option<String>,
}

/// A page of a query whose items are ordered by keys `K`.
#[derive(Debug)]
pub(crate) struct Page<K> {
    shape: Shape,
    after: Option<K>,
    before: Option<K>,
    size: usize,
    backward: bool,
}

/// An order: its columns as a row, and as a list in both directions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) row: &'static str,
    pub(crate) ascending: &'static str,
    pub(crate) descending: &'static str,
    /// Whether the order of the query is the descending one.
    pub(crate) is_descending: bool,
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Checks the arguments.
    ///
    /// # Errors
    /// `invalid_query` for a size out of bounds, `invalid_cursor` for a foreign cursor.
    pub(crate) fn new(shape: Shape, arguments: &PageArguments) -> Result<Self, Problem> {
        let invalid = |detail: String| Problem::new(Code::InvalidQuery, detail);
        let (size, backward) = match (arguments.first, arguments.last) {
            (Some(_), Some(_)) => return Err(invalid("give `first` or `last`, not both".into())),
            (Some(first), None) => (i64::from(first), false),
            (None, Some(last)) => (i64::from(last), true),
            (None, None) => (DEFAULT_PAGE as i64, false),
        };
        if size < 1 || size > MAX_PAGE as i64 {
            let name = if backward { "last" } else { "first" };
            return Err(invalid(format!("`{name}` must be 1 to {MAX_PAGE}")));
        }
        let decode = |cursor: &Option<String>, name: &str| {
            cursor.as_deref().map(|cursor| shape.decode(cursor, name)).transpose()
        };
        Ok(Self {
            shape,
            after: decode(&arguments.after, "after")?,
            before: decode(&arguments.before, "before")?,
            size: size as usize,
            backward,
        })
    }

    /// Adds the bounds of the page, its order and its size to a statement that has a `WHERE`.
    pub(crate) fn restrict(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        order: Order,
        bind: impl Fn(&mut QueryBuilder<Postgres>, &K),
    ) {
        let (behind, ahead) = if order.is_descending { (" < (", " > (") } else { (" > (", " < (") };
        for (key, operator) in [(&self.after, behind), (&self.before, ahead)] {
            if let Some(key) = key {
                sql.push(" AND ").push(order.row).push(operator);
                bind(sql, key);
                sql.push(")");
            }
        }
        let list = if order.is_descending == self.backward { order.ascending } else { order.descending };
        sql.push(" ORDER BY ").push(list).push(" LIMIT ").push_bind(self.size as i64 + 1);
    }

    /// The rows that [`Self::restrict`] selected, as a connection.
    pub(crate) fn connect<R, N, F>(
        self,
        mut rows: Vec<R>,
        fields: F,
        key: impl Fn(&R) -> K,
        node: impl Fn(R) -> N,
    ) -> Connection<String, N, F, EmptyFields>
    where
        N: OutputType,
        F: ObjectType,
    {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        if self.backward {
            rows.reverse();
        }
        let (previous, next) =
            if self.backward { (more, self.before.is_some()) } else { (self.after.is_some(), more) };
        let mut connection = Connection::with_additional_fields(previous, next, fields);
        connection.edges =
            rows.into_iter().map(|row| Edge::new(self.shape.encode(&key(&row)), node(row))).collect();
        connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(tenant: &str, query: &str) -> Shape {
        Shape::new(&Tenant::new(tenant).unwrap(), "tasks", &query)
    }

    #[test]
    fn a_cursor_belongs_to_its_tenant_query_and_bytes() {
        let own = shape("acme", "{}");
        let cursor = own.encode(&(17_i64, "x"));
        assert_eq!(own.decode::<(i64, String)>(&cursor, "after"), Ok((17, "x".to_owned())));
        for other in [shape("other", "{}"), shape("acme", "{queue}")] {
            let refused = other.decode::<(i64, String)>(&cursor, "after").unwrap_err();
            assert_eq!(refused.code, Code::InvalidCursor);
        }
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(own.decode::<(i64, String)>(&changed, "after").is_err(), "byte {at} may be changed");
        }
        for junk in ["", "AA", "not base64!", &"A".repeat(10_000)] {
            assert!(own.decode::<(i64, String)>(junk, "after").is_err());
        }
    }

    #[test]
    fn a_page_has_1_to_100_items() {
        let page = |first, last| {
            let arguments = PageArguments { first, last, ..PageArguments::default() };
            Page::<(i64,)>::new(shape("acme", "{}"), &arguments).map(|page| (page.size, page.backward))
        };
        assert_eq!(page(None, None), Ok((20, false)));
        assert_eq!(page(Some(100), None), Ok((100, false)));
        assert_eq!(page(None, Some(1)), Ok((1, true)));
        for (first, last) in
            [(Some(101), None), (Some(0), None), (None, Some(-1)), (Some(1), Some(1)), (Some(i32::MAX), None)]
        {
            assert_eq!(page(first, last).unwrap_err().code, Code::InvalidQuery, "{first:?} {last:?}");
        }
    }
}
