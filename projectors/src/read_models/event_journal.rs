//! `event_journal`: every event as a row.

use std::sync::Arc;

use migrations::table::Table;
use migrations::{EVENT_JOURNAL, EventJournalRow, JsonText};
use schemas::agent::AgentEvent;
use schemas::commit::{Actor, CommandRef, Commit, EventRecord};
use schemas::ids::{AggregateId, Stream, Tenant};
use schemas::task::TaskEvent;
use uuid::Uuid;

use crate::event::{Body, Event, EventError};
use crate::projection::{KeyArray, Projection};

/// The read model.
#[derive(Debug)]
pub struct EventJournal;

impl Projection for EventJournal {
    type Key = (Tenant, Uuid, i64);
    type Row = EventJournalRow;

    const NAME: &'static str = "event_journal";
    const READS: &'static [&'static str] = &[];
    const TABLE: &'static Table<EventJournalRow> = EVENT_JOURNAL;
    const APPENDS: bool = true;

    fn key(event: &Event) -> Option<Self::Key> {
        Some((event.tenant().clone(), event.aggregate_id(), event.version()))
    }

    fn key_of(row: &EventJournalRow) -> Self::Key {
        (row.tenant.clone(), row.aggregate_id, row.version)
    }

    fn arrays(_: &[Self::Key]) -> Vec<KeyArray> {
        Vec::new()
    }

    fn is_first(_: &Event) -> bool {
        true
    }

    fn fold(_: Option<EventJournalRow>, event: &Event) -> Option<EventJournalRow> {
        let (record, commit, position) = (event.record(), event.commit(), event.position());
        let stream = &record.stream;
        let named = Named::of(event.body());
        let trace_id = commit.trace.as_deref().and_then(|trace| trace.split('-').nth(1));
        let is = |kind| stream.aggregate_type() == kind;
        Some(EventJournalRow {
            tenant: event.tenant().clone(),
            aggregate_type: stream.aggregate_type().to_owned(),
            aggregate_id: event.aggregate_id(),
            version: event.version(),
            event_id: event.id(),
            r#type: record.kind.clone(),
            schema_version: record.v.into(),
            source: schemas::cloudevent::source(&record.kind, stream.aggregate_type()),
            subject: format!("{}/{}", stream.aggregate_type(), stream.id()),
            partition_key: stream.as_str().to_owned(),
            time: event.at(),
            correlation_id: commit.correlation.clone(),
            causation_id: commit.causation.clone(),
            command_id: commit.command.id.clone(),
            command_type: commit.command.kind.clone(),
            actor_type: commit.actor.kind.clone(),
            actor_id: commit.actor.id.clone(),
            user_id: (commit.actor.kind == "user").then(|| commit.actor.id.clone()),
            traceparent: commit.trace.clone(),
            trace_id: trace_id.map(str::to_owned),
            agent_id: if is("agent") { Some(stream.id().to_owned()) } else { named.worker },
            team_id: named.team,
            task_id: is("task").then(|| event.aggregate_id()),
            session_id: named.session,
            data: JsonText::of(&record.data),
            log_generation: position.generation.into(),
            shard: position.shard.into(),
            log_offset: i64::try_from(position.offset).unwrap_or(i64::MAX),
            event_index: position.index.into(),
            position: position.to_string(),
        })
    }
}

/// The event of a row. What the journal does not hold of its commit, no fold reads: the hash of the command's
/// body, the home stream (here the event's own), and the commit's other events.
///
/// # Errors
/// [`EventError`]: a newer release wrote it, or the row is not one that [`EventJournal`] writes.
pub(crate) fn read_event(row: &EventJournalRow) -> Result<Event, EventError> {
    let damaged = |what: &str| EventError::Journal(format!("{what} of event {}", row.event_id));
    let stream: Stream = row.partition_key.parse().map_err(|_| damaged("partition_key"))?;
    let record = EventRecord {
        stream: stream.clone(),
        version: u64::try_from(row.version).map_err(|_| damaged("version"))?,
        kind: row.r#type.clone(),
        v: u32::try_from(row.schema_version).map_err(|_| damaged("schema_version"))?,
        data: row.data.raw().to_owned(),
    };
    let (id, kind) = (row.command_id.clone(), row.command_type.clone());
    let commit = Commit {
        command: CommandRef { id, kind, body_hash: String::new() },
        home: stream,
        tenant: row.tenant.clone(),
        actor: Actor { kind: row.actor_type.clone(), id: row.actor_id.clone() },
        correlation: row.correlation_id.clone(),
        causation: row.causation_id.clone(),
        trace: row.traceparent.clone(),
        at: row.time,
        events: vec![record],
    };
    let position = row.position.parse().map_err(|_| damaged("position"))?;
    Event::decode(&Arc::new(commit), 0, position)
}

/// What else the payload names.
#[derive(Default)]
struct Named {
    worker: Option<String>,
    team: Option<Uuid>,
    session: Option<Uuid>,
}

impl Named {
    fn of(body: &Body) -> Self {
        match body {
            Body::Task(TaskEvent::TaskAssigned(event)) => Self::worker(&event.worker),
            Body::Task(TaskEvent::LeaseExpired(event)) => Self::worker(&event.worker),
            Body::Agent(AgentEvent::AgentSpawnRequested(event)) => {
                Self { team: event.team_id.map(AggregateId::uuid), ..Self::default() }
            }
            Body::Agent(AgentEvent::SessionStarted(event)) => {
                Self { session: event.session_id.map(AggregateId::uuid), ..Self::default() }
            }
            _ => Self::default(),
        }
    }

    fn worker(name: &str) -> Self {
        Self { worker: Some(name.to_owned()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
