//! Where the projections of a shard stand when its runner begins.

use std::collections::{BTreeMap, HashMap};

use event_log::Cursor;
use schemas::ids::{NameError, Stream};

use super::context::Context;
use super::discards::Discarded;
use super::failure::Failure;
use super::group::Group;
use super::parked::{Held, Parked, Reading};
use super::unit::{self, Unit};
use crate::store::{self, Stored};

/// The state of a stored cursor that does not move.
const STOPPED: &str = "stopped";

/// The projections of a shard.
pub(crate) struct Begun {
    /// By the cursor at which they stand.
    pub(crate) groups: Vec<Group>,
    /// Stored as stopped by an earlier runner.
    pub(crate) marked: Vec<&'static str>,
}

type Letters = HashMap<String, HashMap<Stream, Held>>;

/// Reads where the projections of a shard stand, and what they have parked.
///
/// # Errors
/// The database is away, or what it holds does not fit the log.
pub(crate) async fn begin(context: &Context, shard: u16) -> Result<Begun, Failure> {
    let units: Vec<_> = context
        .units
        .iter()
        .filter_map(|name| unit::unit(name, &context.budget, Some(&context.depths)))
        .collect();
    let names: Vec<_> = units.iter().flat_map(|unit| unit.names()).copied().collect();
    let start = Cursor::beginning(context.log.genesis(), shard);
    store::begin(&context.source.pool, context.generation, &names, &start).await?;
    let stored = store::stored(&context.source.pool, context.generation, shard).await?;
    let mut letters = parked(context, shard).await?;
    let mut discarded = discarded(context, shard).await?;
    let mut by_cursor: BTreeMap<u64, (Cursor, Vec<Reading>)> = BTreeMap::new();
    let mut marked = Vec::new();
    for unit in units {
        let name = unit.names()[0];
        let (cursor, version) = stands(context, unit.as_ref(), &stored, start)?;
        let stopped = |name: &&str| stored.iter().any(|own| own.name == **name && own.state == STOPPED);
        marked.extend(unit.names().iter().copied().filter(stopped));
        let parked = Parked::new(version, letters.remove(name).unwrap_or_default());
        let discarded = discarded.remove(name).unwrap_or_default();
        let reading = Reading { unit, parked, discarded };
        by_cursor.entry(cursor.next_offset).or_insert_with(|| (cursor, Vec::new())).1.push(reading);
    }
    let mut groups = Vec::new();
    for (cursor, units) in by_cursor.into_values() {
        groups.push(Group::new(&context.log, units, cursor).await?);
    }
    Ok(Begun { groups, marked })
}

/// The cursor of a unit, and the version of what it has parked.
fn stands(
    context: &Context,
    unit: &dyn Unit,
    stored: &[Stored],
    start: Cursor,
) -> Result<(Cursor, i64), Failure> {
    let own = |name: &str| stored.iter().find(|stored| stored.name == name);
    let mut cursors = unit.names().iter().map(|name| own(name).map(|stored| stored.cursor.0));
    let cursor = cursors.next().flatten().unwrap_or(start);
    if cursors.any(|other| other != Some(cursor)) {
        return Err(Failure::Apart(unit.names()));
    }
    for &name in unit.names() {
        let last = own(name).and_then(|stored| stored.last_event_at);
        context.status.update(start.shard, &[name], |progress| {
            progress.next_offset = cursor.next_offset;
            progress.head_offset = context.log.end(start.shard).max(cursor.next_offset);
            progress.last_event_at = last;
        });
    }
    Ok((cursor, own(unit.names()[0]).map_or(0, |stored| stored.parked_version)))
}

fn unread(error: NameError) -> Failure {
    Failure::Refused(sqlx::Error::Decode(error.into()))
}

/// What was given up in any generation, so that a new one repeats the decision.
async fn discarded(context: &Context, shard: u16) -> Result<HashMap<String, Discarded>, Failure> {
    let mut discarded: HashMap<String, Discarded> = HashMap::new();
    for (name, stream, version) in store::discarded_events(&context.source.pool, shard).await? {
        let version = u64::try_from(version).unwrap_or(0);
        discarded.entry(name).or_default().insert(stream.parse().map_err(unread)?, version);
    }
    Ok(discarded)
}

async fn parked(context: &Context, shard: u16) -> Result<Letters, Failure> {
    let mut parked = Letters::new();
    let stored = store::parked(&context.source.pool, context.generation, shard).await?;
    for (name, stream, letters, since) in stored {
        let stream: Stream = stream.parse().map_err(unread)?;
        let letters = usize::try_from(letters).unwrap_or(usize::MAX);
        parked.entry(name).or_default().insert(stream, Held { letters, since });
    }
    Ok(parked)
}
