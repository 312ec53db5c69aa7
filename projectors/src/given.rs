//! Given events, when a read model folds them, then rows: what the tests of the read models share.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use schemas::agent::{AgentEvent, AgentKind, AgentSpawnRequested};
use schemas::commit::{Actor, CommandRef, Commit, EventRecord};
use schemas::ids::{AggregateId, Route, Stream, Tenant};
use schemas::position::Position;
use schemas::repository::RepositoryEvent;
use schemas::source_file::{Chunk, ChunkKind, SourceFileEvent, SourceFileIndexed, SourceFileRegistered};
use schemas::task::{Priority, TaskAssigned, TaskCreated, TaskEvent, TaskPolicy};
use serde_json::json;
use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::event::Event;
use crate::projection::Projection;

/// The instant of the first event; each later one happens a second after the one before.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap() + TimeDelta::seconds(second)
}

/// The events of one task.
pub(crate) fn task(events: Vec<TaskEvent>) -> Vec<Event> {
    stream("task", events.into_iter().map(|event| (event.kind(), serde_json::to_value(event).unwrap())))
}

/// The events of one agent.
pub(crate) fn agent(events: Vec<AgentEvent>) -> Vec<Event> {
    stream("agent", events.into_iter().map(|event| (event.kind(), serde_json::to_value(event).unwrap())))
}

/// The events of one repository.
pub(crate) fn repository(events: Vec<RepositoryEvent>) -> Vec<Event> {
    stream("repository", events.into_iter().map(|event| (event.kind(), serde_json::to_value(event).unwrap())))
}

/// The events of one source file.
pub(crate) fn source_file(events: Vec<SourceFileEvent>) -> Vec<Event> {
    stream(
        "source_file",
        events.into_iter().map(|event| (event.kind(), serde_json::to_value(event).unwrap())),
    )
}

fn stream(
    kind: &'static str,
    events: impl Iterator<Item = ((&'static str, u32), serde_json::Value)>,
) -> Vec<Event> {
    let tenant = Tenant::new("acme").unwrap();
    let id = AggregateId::derive(&tenant, kind, Route(7), "c-1");
    let stream = Stream::of(&tenant, kind, id);
    let event = |(n, ((name, v), data)): (u32, ((&str, u32), serde_json::Value))| {
        let command =
            CommandRef { id: format!("c-{n}"), kind: "some.command".into(), body_hash: String::new() };
        let commit = Commit {
            command,
            home: stream.clone(),
            tenant: tenant.clone(),
            actor: Actor { kind: "user".into(), id: "alice".into() },
            correlation: "request-1".into(),
            causation: "c-0".into(),
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            at: at(n.into()),
            events: vec![EventRecord {
                stream: stream.clone(),
                version: u64::from(n) + 1,
                kind: name.into(),
                v,
                data: to_raw_value(&data).unwrap(),
            }],
        };
        let position = Position { generation: 1, shard: 3, offset: u64::from(n) + 10, index: 0 };
        Event::decode(&Arc::new(commit), 0, position).unwrap()
    };
    (0..).zip(events).map(event).collect()
}

/// Every row that stood after some event, the last one last.
pub(crate) fn rows<P: Projection>(events: &[Event]) -> Vec<P::Row> {
    let mut row = None;
    let mut rows = Vec::new();
    for event in events.iter().filter(|event| P::key(event).is_some()) {
        let there = row.is_some();
        row = P::fold(row, event);
        assert!(row.is_some() || !there, "a row vanished");
        rows.extend(row.clone());
    }
    rows
}

/// The row after all events.
pub(crate) fn last<P: Projection>(events: &[Event]) -> P::Row {
    rows::<P>(events).pop().expect("some event made a row")
}

pub(crate) fn created() -> TaskCreated {
    TaskCreated {
        queue: "default".into(),
        kind: "inventory".into(),
        title: "count".into(),
        description: None,
        priority: Priority::High,
        payload: json!({"path": "src"}).as_object().unwrap().clone(),
        requirements: vec!["rust".into()],
        parent_id: None,
        depends_on: vec![],
        hold: false,
        run_at: None,
        deadline: None,
        policy: TaskPolicy::default(),
        metadata: [].into(),
    }
}

pub(crate) fn assigned(token: u32, attempt: u32) -> TaskAssigned {
    TaskAssigned {
        worker: format!("w-{token}"),
        lease_id: Uuid::from_u128(token.into()),
        fencing_token: token,
        attempt,
        lease_expires_at: at(1_000),
    }
}

pub(crate) fn spawned() -> AgentSpawnRequested {
    AgentSpawnRequested {
        kind: AgentKind::WorkerManager,
        label: Some("one".into()),
        model: "none".into(),
        task: None,
        team_id: None,
        config: serde_json::Map::new(),
        context: serde_json::Map::new(),
        code: None,
        reasoning: None,
        safety_boundaries: serde_json::Map::new(),
        capabilities: vec!["rust".into()],
        roles: vec![],
        labels: vec![],
        max_retries: 3,
        budget_limit: None,
        heartbeat_ms: 30_000,
        metadata: [].into(),
    }
}

pub(crate) fn source_file_registered() -> SourceFileRegistered {
    let tenant = Tenant::new("acme").unwrap();
    let repository_id = AggregateId::derive(&tenant, "repository", Route(7), "r-1");
    SourceFileRegistered { repository_id, path: "src/lease.rs".into() }
}

pub(crate) fn chunk(id: u8, name: &str, text: &str) -> Chunk {
    Chunk {
        id: format!("{id:032x}"),
        hash: format!("{:032x}", text.len()),
        kind: ChunkKind::FunctionDef,
        name: Some(name.into()),
        scope: "worker".into(),
        signature: String::new(),
        text: text.into(),
        part: 0,
        start_line: 1,
        end_line: 4,
    }
}

/// Two chunks.
pub(crate) fn indexed() -> SourceFileIndexed {
    let SourceFileRegistered { repository_id, path } = source_file_registered();
    SourceFileIndexed {
        repository_id,
        path,
        content_hash: "0".repeat(64),
        chunker: "definitions/1".into(),
        commit: Some("c0ffee1".into()),
        language: Some("rust".into()),
        bytes: 90,
        lines: 9,
        chunks: 2,
        upserted: vec![chunk(1, "renewLease", "fn renewLease() {}"), chunk(2, "other", "fn other() {}")],
        moved: vec![],
        removed: vec![],
    }
}
