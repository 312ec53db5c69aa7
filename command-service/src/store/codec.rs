//! How entries and receipts are written in the store: JSON, read only by the release that wrote it.

use chrono::{DateTime, Utc};
use event_log::Cursor;
use schemas::ids::Stream;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aggregates::Refusal;
use crate::aggregates::registry::State;
use crate::shard::Marks;
use crate::shard::dispatch::Place;
use crate::shard::receipts::{Many, Outcome, Receipt};
use crate::shard::streams::Entry;

/// Where a shard of the store stands.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stand {
    pub(super) cursor: Cursor,
    pub(super) at: DateTime<Utc>,
}

#[derive(Serialize)]
struct EntryOut<'a>(u64, u64, Option<&'a str>, &'a State);

#[derive(Deserialize)]
struct EntryIn(u64, u64, Option<String>, State);

#[derive(Serialize, Deserialize)]
struct StoredMarks(Option<DateTime<Utc>>, Option<Place>);

#[derive(Serialize, Deserialize)]
struct StoredReceipt {
    body: (u64, u64),
    offset: u64,
    events: Vec<(Option<Stream>, u64, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leases: Vec<(Stream, Uuid)>,
    /// Given and current token of a recorded refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stale: Option<(u32, u32)>,
}

fn write(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the store's shapes have text keys only, so JSON can write them")
}

pub(super) fn stand(stand: &Stand) -> Vec<u8> {
    write(stand)
}

pub(super) fn entry(entry: &Entry) -> Vec<u8> {
    write(&EntryOut(entry.version, entry.offset, entry.correlation.as_deref(), &entry.state))
}

pub(super) fn read_entry(stream: &Stream, bytes: &[u8]) -> Result<Entry, serde_json::Error> {
    let EntryIn(version, offset, correlation, state) = serde_json::from_slice(bytes)?;
    Ok(Entry::new(stream, state, version, offset, correlation.as_deref()))
}

/// The marks of an entry; none when it stands nowhere.
pub(super) fn marks(entry: &Entry) -> Option<Vec<u8>> {
    let marks = StoredMarks(entry.due(), entry.place().cloned());
    (marks.0.is_some() || marks.1.is_some()).then(|| write(&marks))
}

pub(super) fn read_marks(bytes: &[u8]) -> Result<Marks, serde_json::Error> {
    let StoredMarks(due, place) = serde_json::from_slice(bytes)?;
    Ok(Marks { due, place })
}

pub(super) fn receipt(receipt: &Receipt) -> Vec<u8> {
    let halves = |number: u128| ((number >> 64) as u64, number as u64);
    let (events, leases, stale) = match &receipt.outcome {
        Outcome::One { kind, version } => (vec![(None, *version, (*kind).to_owned())], Vec::new(), None),
        Outcome::Many(many) => {
            let stored = |(stream, version, kind): &(Stream, u64, &'static str)| {
                (Some(stream.clone()), *version, (*kind).to_owned())
            };
            let stale = match &many.refusal {
                Some(Refusal::StaleToken { given, current }) => Some((*given, *current)),
                _ => None,
            };
            (many.events.iter().map(stored).collect(), many.leases.clone(), stale)
        }
    };
    write(&StoredReceipt { body: halves(receipt.body), offset: receipt.offset, events, leases, stale })
}

/// Reads a receipt; none when it names an event type that this release does not know.
pub(super) fn read_receipt(bytes: &[u8]) -> Result<Option<Receipt>, serde_json::Error> {
    let stored: StoredReceipt = serde_json::from_slice(bytes)?;
    let known = |name: &str| schemas::registry::event_type(name).map(|event| event.name);
    let body = (u128::from(stored.body.0) << 64) | u128::from(stored.body.1);
    let offset = stored.offset;
    let outcome = match stored.events.as_slice() {
        [(None, version, kind)] => known(kind).map(|kind| Outcome::One { kind, version: *version }),
        _ => {
            let events = stored.events.into_iter();
            let events: Option<Vec<_>> =
                events.map(|(stream, version, kind)| Some((stream?, version, known(&kind)?))).collect();
            let refusal = stored.stale.map(|(given, current)| Refusal::StaleToken { given, current });
            let leases = stored.leases;
            events.map(|events| Outcome::Many(Box::new(Many { events, leases, refusal })))
        }
    };
    Ok(outcome.map(|outcome| Receipt { body, offset, outcome }))
}
