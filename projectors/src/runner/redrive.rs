//! Dead letters tried again, between two batches: in the order of their stream, by this one projection,
//! with the decoder and the fold of this release.

use std::sync::Arc;

use event_log::Cursor;
use migrations::DeadLettersRow;
use schemas::commit::Commit;
use schemas::ids::Stream;
use schemas::position::Position;

use super::bisect;
use super::context::Context;
use super::failure::Failure;
use super::group::Group;
use super::model::Writes;
use super::parked::{Cause, Reading, cause};
use crate::event::{Event, EventError};
use crate::store::{self, Sequence};

/// Most letters of one transaction; those behind them follow in the next.
const LETTERS: i64 = 1_000;

/// Tries the letters of a shard whose time has come. Nothing may be under way.
///
/// # Errors
/// [`Failure::Lost`] also when the rows at hand may be wrong by now.
pub(crate) async fn due(context: &Context, shard: u16, groups: &mut [Group]) -> Result<(), Failure> {
    for (name, stream) in store::due(&context.source.pool, context.generation, shard).await? {
        for group in &mut *groups {
            let cursor = group.cursor;
            let Some(reading) = group.units.iter_mut().find(|reading| reading.name() == name) else {
                continue;
            };
            let (generation, projection) = (context.generation, reading.name());
            let of = Sequence { generation, shard, projection, stream: stream.clone() };
            sequence(context, &cursor, reading, &of).await?;
        }
    }
    Ok(())
}

async fn sequence(
    context: &Context,
    cursor: &Cursor,
    reading: &mut Reading,
    of: &Sequence,
) -> Result<(), Failure> {
    let letters = store::first(&context.source.pool, of, LETTERS).await?;
    if letters.is_empty() {
        return Ok(());
    }
    let stream: Stream = of.stream.parse().map_err(|_| Failure::Lost)?;
    let (mut events, mut tried, mut given_up) = (Vec::with_capacity(letters.len()), Vec::new(), Vec::new());
    let mut refusal = None;
    for letter in &letters {
        if letter.discard_event.is_some() {
            reading.discarded.insert(stream.clone(), u64::try_from(letter.version).unwrap_or(0));
            given_up.push(letter);
            continue;
        }
        match read(letter) {
            Ok(event) => {
                events.push(reading.discarded.link(event));
                tried.push(letter);
            }
            Err(error) => {
                refusal = Some((letter, cause(&error)));
                break;
            }
        }
    }
    if let Some((at, cause)) = bisect::culprit(context, of.projection, &events).await? {
        events.truncate(at);
        refusal = Some((tried[at], cause));
        tried.truncate(at);
    }
    if let Some((refused, _)) = &refusal {
        // Whatever stands behind it waits, given up or not.
        given_up.retain(|letter| place(letter) < place(refused));
    }
    let writes = reading.unit.fold(&context.source, &events).await?;
    let refusal = refusal.as_ref().map(|(letter, cause)| (*letter, cause));
    let outcome = Outcome { applied: &tried, given_up: &given_up, refusal };
    apply(context, cursor, reading, &writes, &outcome).await?;
    reading.parked.remove(&stream, events.len() + given_up.len());
    told(of, &outcome);
    Ok(())
}

fn place(letter: &DeadLettersRow) -> (i64, i64, i32) {
    (letter.log_generation, letter.log_offset, letter.event_index)
}

fn read(letter: &DeadLettersRow) -> Result<Event, EventError> {
    let commit: Commit = serde_json::from_str(&letter.event).map_err(EventError::Letter)?;
    let narrow = |what: &str| EventError::Journal(format!("{what} of letter {}", letter.event_id));
    let position = Position {
        generation: u32::try_from(letter.log_generation).map_err(|_| narrow("log_generation"))?,
        shard: u16::try_from(letter.shard).map_err(|_| narrow("shard"))?,
        offset: u64::try_from(letter.log_offset).map_err(|_| narrow("log_offset"))?,
        index: u16::try_from(letter.event_index).map_err(|_| narrow("event_index"))?,
    };
    Event::decode(&Arc::new(commit), 0, position)
}

fn told(of: &Sequence, outcome: &Outcome<'_>) {
    let refused = outcome.refusal.map(|(_, cause)| cause.error.as_str());
    let (applied, given_up) = (outcome.applied.len(), outcome.given_up.len());
    tracing::info!(projection = of.projection, of.stream, applied, given_up, refused, "dead letters tried");
    let outcomes =
        [("applied", applied), ("discarded", given_up), ("refused", usize::from(refused.is_some()))];
    for (outcome, letters) in outcomes {
        let labels = [("projection", of.projection), ("outcome", outcome)];
        metrics::counter!("gesta_dead_letters_redriven_total", &labels).increment(letters as u64);
    }
}

/// What became of the letters of a stream.
struct Outcome<'a> {
    applied: &'a [&'a DeadLettersRow],
    given_up: &'a [&'a DeadLettersRow],
    refusal: Option<(&'a DeadLettersRow, &'a Cause)>,
}

/// Rows, letters and the version of what is parked in one transaction, or nothing.
async fn apply(
    context: &Context,
    cursor: &Cursor,
    reading: &Reading,
    writes: &[Box<dyn Writes>],
    outcome: &Outcome<'_>,
) -> Result<(), Failure> {
    let _permit = context.writers.acquire().await.expect("nobody closes it");
    let mut tx = migrations::begin(&context.source.pool, "BEGIN").await?;
    let (names, version) = (reading.unit.names(), reading.parked.version);
    let events = outcome.applied.len() as u64;
    if !store::release(&mut tx, context.generation, names, cursor, version, events).await? {
        tx.rollback().await?;
        return Err(Failure::Lost);
    }
    for rows in writes.iter().filter(|rows| rows.len() > 0) {
        rows.write(&mut tx, &context.source.schema).await?;
    }
    store::applied(&mut tx, outcome.applied).await?;
    store::given_up(&mut tx, outcome.given_up).await?;
    if let Some((letter, cause)) = outcome.refusal {
        store::refused(&mut tx, letter, cause).await?;
    }
    Ok(tx.commit().await?)
}
