//! How a table is described: its columns, each with its SQL type and the row's value, in one list
//! from which every statement is made.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::json::JsonText;

/// The value of one column, with its SQL type.
#[derive(Debug)]
pub enum Get<R: 'static> {
    /// `text`.
    Text(fn(&R) -> Option<&str>),
    /// `bigint`.
    BigInt(fn(&R) -> Option<i64>),
    /// `integer`.
    Integer(fn(&R) -> Option<i32>),
    /// `boolean`.
    Boolean(fn(&R) -> Option<bool>),
    /// `timestamptz`, milliseconds.
    Instant(fn(&R) -> Option<DateTime<Utc>>),
    /// `uuid`.
    Uuid(fn(&R) -> Option<Uuid>),
    /// `jsonb`.
    Json(fn(&R) -> Option<&JsonText>),
}

impl<R> Get<R> {
    /// The column's SQL type.
    #[must_use]
    pub const fn sql_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::BigInt(_) => "bigint",
            Self::Integer(_) => "integer",
            Self::Boolean(_) => "boolean",
            Self::Instant(_) => "timestamptz",
            Self::Uuid(_) => "uuid",
            Self::Json(_) => "jsonb",
        }
    }
}

/// One column of a table of `R`.
#[derive(Debug)]
pub struct Column<R: 'static> {
    /// `snake_case` of the field's public name.
    pub name: &'static str,
    /// Type and value.
    pub get: Get<R>,
    /// Whether the column is `NOT NULL`.
    pub required: bool,
}

impl<R> Column<R> {
    /// The value that `row` has in it, as JSON; instants in RFC 3339.
    #[must_use]
    pub fn value(&self, row: &R) -> Value {
        match &self.get {
            Get::Text(get) => get(row).into(),
            Get::BigInt(get) => get(row).into(),
            Get::Integer(get) => get(row).into(),
            Get::Boolean(get) => get(row).into(),
            Get::Instant(get) => get(row).map(|at| at.to_rfc3339()).into(),
            Get::Uuid(get) => get(row).map(|id| id.to_string()).into(),
            Get::Json(get) => get(row).map(JsonText::value).into(),
        }
    }
}

/// A column that may be null.
pub(crate) const fn optional<R>(name: &'static str, get: Get<R>) -> Column<R> {
    Column { name, get, required: false }
}

/// A column that is never null.
pub(crate) const fn required<R>(name: &'static str, get: Get<R>) -> Column<R> {
    Column { name, get, required: true }
}

/// A table of a generation: the row type, its columns, keys and indexes.
#[derive(Debug)]
pub struct Table<R: 'static> {
    /// Name of the table, of its view and of its projection.
    pub name: &'static str,
    /// Columns in order; the key's first.
    pub columns: &'static [Column<R>],
    /// Columns of the primary key; the tenant is one of them.
    pub key: &'static [&'static str],
    /// How many leading columns of the key find the row that an event is folded into: all of them, or
    /// fewer when the table keeps former rows; then the greatest remaining key is the current row.
    pub fold_key: usize,
    /// Column that never falls; an upsert with a lower or equal value changes nothing.
    pub guard: &'static str,
    /// Columns that Postgres computes of the others; no row has them, and none is ever written.
    pub generated: &'static [Generated],
    /// Secondary indexes.
    pub indexes: &'static [Index],
}

/// A stored generated column.
#[derive(Debug, Clone, Copy)]
pub struct Generated {
    /// Name.
    pub name: &'static str,
    /// SQL type.
    pub sql_type: &'static str,
    /// Immutable expression over other columns of the row.
    pub expression: &'static str,
}

/// A secondary index.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    /// Its name behind that of the table.
    pub name: &'static str,
    /// Whether it is unique; then the tenant is one of its columns.
    pub unique: bool,
    /// Columns in parentheses, and a `WHERE` when it is partial.
    pub on: &'static str,
}

/// A plain index.
pub(crate) const fn index(name: &'static str, on: &'static str) -> Index {
    Index { name, unique: false, on }
}

impl<R> Table<R> {
    /// The column names in order.
    #[must_use]
    pub fn column_names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|column| column.name).collect()
    }

    /// The same joined by commas.
    #[must_use]
    pub fn column_list(&self) -> String {
        self.column_names().join(", ")
    }

    /// Columns by which the current row of an event is found.
    #[must_use]
    pub fn fold_columns(&self) -> &'static [&'static str] {
        &self.key[..self.fold_key]
    }

    fn sql_type(&self, name: &str) -> &'static str {
        let column = self.columns.iter().find(|column| column.name == name);
        column.map(|column| column.get.sql_type()).expect("a key names columns of its table")
    }

    /// `CREATE TABLE` in the generation's schema. Every other statement on the table is made from the
    /// same list.
    #[must_use]
    pub fn create_sql(&self, schema: &str) -> String {
        let column = |column: &Column<R>| {
            let null = if column.required { " NOT NULL" } else { "" };
            format!("{} {}{null}", column.name, column.get.sql_type())
        };
        let generated = |column: &Generated| {
            let Generated { name, sql_type, expression } = column;
            format!("{name} {sql_type} GENERATED ALWAYS AS ({expression}) STORED")
        };
        let columns = self.columns.iter().map(column).chain(self.generated.iter().map(generated));
        let columns: Vec<_> = columns.collect();
        // A row changes often and mostly in columns without index: room on its page keeps that cheap.
        format!(
            "CREATE TABLE {schema}.{} ({}, PRIMARY KEY ({})) WITH (fillfactor = 80, \
             autovacuum_vacuum_scale_factor = 0.02)",
            self.name,
            columns.join(", "),
            self.key.join(", "),
        )
    }

    /// `CREATE INDEX`, one statement each.
    #[must_use]
    pub fn index_sql(&self, schema: &str) -> Vec<String> {
        let create = |index: &Index| {
            let unique = if index.unique { "UNIQUE " } else { "" };
            let Index { name, on, .. } = index;
            format!("CREATE {unique}INDEX {}_{name} ON {schema}.{} {on}", self.name, self.name)
        };
        self.indexes.iter().map(create).collect()
    }

    /// Loads the current rows of many fold keys, given as one array per column of
    /// [`fold_columns`](Self::fold_columns).
    #[must_use]
    pub fn load_sql(&self, schema: &str) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| format!("t.{}", column.name)).collect();
        let keys = self.fold_columns();
        let arrays = |(n, name): (usize, &&str)| format!("${}::{}[]", n + 1, self.sql_type(name));
        let arrays: Vec<_> = keys.iter().enumerate().map(arrays).collect();
        let same: Vec<_> = keys.iter().map(|name| format!("t.{name} = k.{name}")).collect();
        let rest: Vec<_> = self.key[self.fold_key..].iter().map(|name| format!("t.{name} DESC")).collect();
        let newest = if rest.is_empty() { String::new() } else { format!("ORDER BY {} ", rest.join(", ")) };
        // LATERAL: one index look-up per key, however large the table is.
        format!(
            "SELECT t.* FROM UNNEST({}) AS k({}) CROSS JOIN LATERAL \
             (SELECT {} FROM {schema}.{} AS t WHERE {} {newest}LIMIT 1) AS t",
            arrays.join(", "),
            keys.join(", "),
            columns.join(", "),
            self.name,
            same.join(" AND "),
        )
    }

    /// Upserts rows given as one array per column.
    #[must_use]
    pub fn unnest_sql(&self, schema: &str) -> String {
        let array = |(n, column): (usize, &Column<R>)| format!("${}::{}[]", n + 1, column.get.sql_type());
        let arrays: Vec<_> = self.columns.iter().enumerate().map(array).collect();
        self.upsert_sql(schema, &format!("SELECT * FROM UNNEST({})", arrays.join(", ")))
    }

    /// Name of the connection's own table that `COPY` fills.
    #[must_use]
    pub fn stage(&self, schema: &str) -> String {
        format!("pg_temp.{schema}_{}", self.name)
    }

    /// Creates the connection's own table that `COPY` fills; empty after every transaction.
    #[must_use]
    pub fn stage_sql(&self, schema: &str) -> String {
        format!(
            "CREATE TEMP TABLE IF NOT EXISTS {schema}_{} (LIKE {schema}.{}) ON COMMIT DELETE ROWS",
            self.name, self.name
        )
    }

    /// `COPY` into the connection's own table, binary.
    #[must_use]
    pub fn copy_sql(&self, schema: &str) -> String {
        format!("COPY {} ({}) FROM STDIN (FORMAT binary)", self.stage(schema), self.column_list())
    }

    /// Upserts what `COPY` filled in.
    #[must_use]
    pub fn staged_sql(&self, schema: &str) -> String {
        self.upsert_sql(schema, &format!("SELECT {} FROM {}", self.column_list(), self.stage(schema)))
    }

    fn upsert_sql(&self, schema: &str, rows: &str) -> String {
        let set = |column: &Column<R>| format!("{0} = excluded.{0}", column.name);
        let changed = self.columns.iter().filter(|column| !self.key.contains(&column.name));
        let set: Vec<_> = changed.map(set).collect();
        format!(
            "INSERT INTO {schema}.{} AS t ({}) {rows} ON CONFLICT ({}) DO UPDATE SET {} \
             WHERE t.{guard} < excluded.{guard}",
            self.name,
            self.column_list(),
            self.key.join(", "),
            set.join(", "),
            guard = self.guard,
        )
    }

    /// All rows in the order of the key.
    #[must_use]
    pub fn all_sql(&self, schema: &str) -> String {
        format!("SELECT {} FROM {schema}.{} ORDER BY {}", self.column_list(), self.name, self.key.join(", "))
    }

    /// About how many bytes a row takes in memory.
    #[must_use]
    pub fn weight(&self, row: &R) -> usize {
        let texts = self.columns.iter().map(|column| match &column.get {
            Get::Text(get) => get(row).map_or(0, str::len),
            Get::Json(get) => get(row).map_or(0, |json| json.text().len()),
            _ => 0,
        });
        size_of::<R>() + texts.sum::<usize>()
    }

    /// The table in `schema`, without its row type.
    #[must_use]
    pub fn shape(&self, schema: &str) -> Shape {
        Shape {
            name: self.name,
            key: self.key,
            columns: self
                .columns
                .iter()
                .map(|column| column.name)
                .chain(self.generated.iter().map(|column| column.name))
                .collect(),
            create: self.create_sql(schema),
            indexes: self.index_sql(schema),
            stage: self.stage_sql(schema),
            statements: vec![
                self.load_sql(schema),
                self.unnest_sql(schema),
                self.staged_sql(schema),
                self.all_sql(schema),
            ],
        }
    }
}

/// A table of one generation without its row type.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Name.
    pub name: &'static str,
    /// Columns of the primary key.
    pub key: &'static [&'static str],
    /// Columns in order, generated ones last.
    pub columns: Vec<&'static str>,
    /// `CREATE TABLE`.
    pub create: String,
    /// `CREATE INDEX`, one each.
    pub indexes: Vec<String>,
    /// `CREATE TEMP TABLE` of the table that `COPY` fills.
    pub stage: String,
    /// Every statement that is prepared on it.
    pub statements: Vec<String>,
}
