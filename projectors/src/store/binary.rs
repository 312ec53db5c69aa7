//! The binary format of `COPY`.

use chrono::{DateTime, Utc};
use migrations::table::{Column, Get};

use super::clean;

/// What every `COPY` of this format begins with: signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(super) const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// Postgres counts time from 2000-01-01, in microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// The one version of the binary form of `jsonb`.
pub(super) const JSONB_VERSION: u8 = 1;

/// Appends one row.
pub(super) fn row<R>(columns: &[Column<R>], row: &R, out: &mut Vec<u8>) {
    let count = i16::try_from(columns.len()).expect("no table has 32,768 columns");
    out.extend(count.to_be_bytes());
    for column in columns {
        field(&column.get, row, out);
    }
}

fn field<R>(get: &Get<R>, row: &R, out: &mut Vec<u8>) {
    match get {
        Get::Text(get) => put(get(row), out, |text, out| out.extend(clean::text(text).as_bytes())),
        Get::BigInt(get) => put(get(row), out, |number, out| out.extend(number.to_be_bytes())),
        Get::Integer(get) => put(get(row), out, |number, out| out.extend(number.to_be_bytes())),
        Get::Boolean(get) => put(get(row), out, |value, out| out.push(value.into())),
        Get::Instant(get) => put(get(row), out, |at, out| out.extend(micros(at).to_be_bytes())),
        Get::Uuid(get) => put(get(row), out, |id, out| out.extend(id.as_bytes())),
        Get::Json(get) => put(get(row), out, |value, out| {
            out.push(JSONB_VERSION);
            out.extend(clean::json(value.text()).as_bytes());
        }),
    }
}

fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros().saturating_sub(EPOCH_MICROS)
}

/// A value with its length in front of it; a null has the length −1.
fn put<T>(value: Option<T>, out: &mut Vec<u8>, write: impl FnOnce(T, &mut Vec<u8>)) {
    let Some(value) = value else { return out.extend((-1_i32).to_be_bytes()) };
    let at = out.len();
    out.extend([0; 4]);
    write(value, out);
    let length = i32::try_from(out.len() - at - 4).expect("a field of a commit is far below 2 GiB");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}
