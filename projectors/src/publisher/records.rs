//! Counted commits as `CloudEvents`.

use std::borrow::Cow;
use std::sync::Arc;

use event_log::{Content, Counted};
use schemas::cloudevent::{CloudEvent, cloud_event};
use schemas::commit::Commit;
use schemas::personal::withhold;
use schemas::position::Position;
use schemas::upcast::DecodeError;

use super::{PUBLISHER, Personal};
use crate::event::{Event, EventError};
use crate::runner::Failure;

/// The events of a counted record; none of a claim or barrier.
///
/// # Errors
/// [`Failure::Poison`]: nobody can say what an event holds that this release cannot read.
pub(crate) fn events(
    counted: &Counted,
    generation: u32,
    shard: u16,
    personal: Personal,
) -> Result<Vec<CloudEvent>, Failure> {
    let Content::Commit(commit) = &counted.content else { return Ok(Vec::new()) };
    let offset = counted.offset;
    let mut events = Vec::with_capacity(commit.events.len());
    for index in 0..commit.events.len() {
        let number = u16::try_from(index).expect("a commit has at most 1,000 events");
        let position = Position { generation, shard, offset, index: number };
        let event = read(commit, index, position, personal).map_err(|error| {
            let (projection, error) = (PUBLISHER, error.to_string());
            Failure::Poison { offset, index: number, projection, error }
        })?;
        events.push(event);
    }
    Ok(events)
}

fn read(
    commit: &Arc<Commit>,
    index: usize,
    position: Position,
    personal: Personal,
) -> Result<CloudEvent, EventError> {
    Event::decode(commit, index, position)?;
    let record = &commit.events[index];
    let event = cloud_event(commit, record, &position);
    if personal == Personal::Publish {
        return Ok(event);
    }
    let kind = || record.kind.clone();
    let shown = withhold(&record.kind, &record.data);
    let shown = shown.map_err(|source| DecodeError::Payload { kind: kind(), v: record.v, source })?;
    match shown.ok_or_else(|| DecodeError::UnknownType { kind: kind() })? {
        Cow::Borrowed(_) => Ok(event),
        Cow::Owned(data) => Ok(CloudEvent { data, ..event }),
    }
}
