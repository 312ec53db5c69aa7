//! Dead letters tried again, between two batches: in the order of their stream, by this one projection,
//! with the decoder and the fold of this release.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use event_log::Cursor;
use futures_util::FutureExt;
use migrations::DeadLettersRow;
use schemas::commit::Commit;
use schemas::position::Position;

use super::context::Context;
use super::failure::{Failure, panicked};
use super::group::Group;
use super::model::Writes;
use super::parked::{Cause, Reading, cause, cut};
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
    let Some(head) = letters.first() else { return Ok(()) };
    let mut events = Vec::with_capacity(letters.len());
    let mut refusal = None;
    for letter in &letters {
        match read(letter) {
            Ok(event) => events.push(event),
            Err(error) => {
                refusal = Some((letter, cause(&error)));
                break;
            }
        }
    }
    let tried = &letters[..events.len()];
    let fold = AssertUnwindSafe(reading.unit.fold(&context.source, &events)).catch_unwind().await;
    let outcome = match fold.unwrap_or_else(|panic| Err(panicked(&*panic))) {
        Ok(writes) => {
            apply(context, cursor, reading, &writes, tried, refusal.as_ref().map(|(l, c)| (*l, c))).await
        }
        Err(failure) => Err(failure),
    };
    let stage = match &outcome {
        Err(Failure::Panicked(_) | Failure::Gap(_)) => "handle",
        Err(Failure::Refused(_)) => "write",
        _ => "",
    };
    match outcome {
        Ok(()) => {
            let stream = of.stream.parse().map_err(|_| Failure::Lost)?;
            reading.parked.remove(&stream, events.len());
            tracing::info!(
                projection = of.projection,
                of.stream,
                applied = events.len(),
                "dead letters tried"
            );
            Ok(())
        }
        Err(failure) if !stage.is_empty() => {
            // Which of them it was is not known: the first one says it.
            let mut tx = migrations::begin(&context.source.pool, "BEGIN").await?;
            store::refused(&mut tx, head, &(stage, cut(failure.to_string()))).await?;
            tx.commit().await?;
            Err(Failure::Lost)
        }
        Err(failure) => Err(failure),
    }
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

/// Rows, letters and the version of what is parked in one transaction, or nothing.
async fn apply(
    context: &Context,
    cursor: &Cursor,
    reading: &Reading,
    writes: &[Box<dyn Writes>],
    applied: &[DeadLettersRow],
    refusal: Option<(&DeadLettersRow, &Cause)>,
) -> Result<(), Failure> {
    let _permit = context.writers.acquire().await.expect("nobody closes it");
    let mut tx = migrations::begin(&context.source.pool, "BEGIN").await?;
    let (names, version) = (reading.unit.names(), reading.parked.version);
    let events = applied.len() as u64;
    if !store::release(&mut tx, context.generation, names, cursor, version, events).await? {
        tx.rollback().await?;
        return Err(Failure::Lost);
    }
    for rows in writes.iter().filter(|rows| rows.len() > 0) {
        rows.write(&mut tx, &context.source.schema).await?;
    }
    store::applied(&mut tx, applied).await?;
    if let Some((letter, cause)) = refusal {
        store::refused(&mut tx, letter, cause).await?;
    }
    Ok(tx.commit().await?)
}
