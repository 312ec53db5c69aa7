//! Rows as the projectors would write them, with defaults for what a test does not care about.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// An instant `seconds` after a fixed one, as JSON.
pub(crate) fn at(seconds: i64) -> String {
    let base: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    (base + TimeDelta::seconds(seconds)).to_rfc3339()
}

/// Id of aggregate `number`, a version 8 UUID.
pub(crate) fn id(number: u64) -> String {
    uuid::Builder::from_custom_bytes(u128::from(number).to_be_bytes()).into_uuid().to_string()
}

/// Id of event `version` of an aggregate.
pub(crate) fn event_id(aggregate: &str, version: i64) -> String {
    Uuid::new_v5(&schemas::ids::EVENT_NAMESPACE, format!("{aggregate}#{version}").as_bytes()).to_string()
}

fn merged(mut row: Value, with: Value) -> Value {
    let object = row.as_object_mut().unwrap();
    object.extend(with.as_object().unwrap().clone());
    row
}

/// Writes a row, given as the columns that differ from the defaults.
pub(crate) async fn insert(pool: &PgPool, table: &str, row: Value) {
    let columns = row.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(", ");
    let sql = format!(
        "INSERT INTO g1.{table} ({columns}) SELECT {columns} FROM jsonb_populate_record(null::g1.{table}, $1)"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(row).execute(pool).await.unwrap();
}

pub(crate) fn task(tenant: &str, number: u64, with: Value) -> Value {
    let id = id(number);
    let defaults = json!({
        "tenant": tenant, "id": id, "queue": "default", "type": "inventory", "title": format!("task {number}"),
        "priority": "normal", "priority_rank": 2, "state": "queued", "status": "queued", "payload": {"n": number},
        "requirements": [], "depends_on": [], "hold": false, "policy": {}, "max_attempts": 3, "metadata": {},
        "correlation_id": format!("c-{number}"), "created_by": "user/alice", "created_at": at(number as i64),
        "updated_at": at(number as i64), "fencing_token": 0, "attempt": 0, "progress": 0, "retry_count": 0,
        "redrive_count": 0, "stale_tokens": 0, "version": 1, "event_id": event_id(&id, 1), "position": "1.0.1.0",
    });
    merged(defaults, with)
}

pub(crate) fn agent(tenant: &str, number: u64, with: Value) -> Value {
    let id = id(number);
    let defaults = json!({
        "tenant": tenant, "id": id, "kind": "executor", "label": format!("agent {number}"), "model": "none",
        "config": {}, "context": {}, "safety_boundaries": {}, "capabilities": [], "roles": [], "labels": [],
        "lifecycle_state": "executing", "status": "running", "availability": "idle", "draining": false,
        "heartbeat_ms": 30000, "commits": [], "incarnation": 1, "spawned_at": at(number as i64), "runtime_ms": 1500,
        "retry_count": 0, "max_retries": 3, "archived": false, "metadata": {}, "correlation_id": "c",
        "created_by": "user/alice", "updated_at": at(number as i64), "version": 1, "event_id": event_id(&id, 1),
        "position": "1.0.1.0",
    });
    merged(defaults, with)
}

pub(crate) fn repository(tenant: &str, number: u64, with: Value) -> Value {
    let id = id(number);
    let defaults = json!({
        "tenant": tenant, "id": id, "name": format!("repository {number}"), "state": "registered",
        "registered_at": at(number as i64), "updated_at": at(number as i64), "version": 1,
        "event_id": event_id(&id, 1), "position": "1.0.1.0",
    });
    merged(defaults, with)
}

/// File `number` of repository 1.
pub(crate) fn source_file(tenant: &str, number: u64, with: Value) -> Value {
    let id_of = id(number);
    let defaults = json!({
        "tenant": tenant, "id": id_of, "repository_id": id(1), "path": format!("src/{number}.rs"), "state": "indexed",
        "language": "rust", "bytes": 10, "lines": 9, "chunks": 1, "registered_at": at(number as i64),
        "updated_at": at(number as i64), "version": 2, "event_id": event_id(&id_of, 2), "position": "1.0.1.0",
    });
    merged(defaults, with)
}

/// The one chunk of file `number` of repository 1.
pub(crate) fn chunk(tenant: &str, number: u64, name: &str, text: &str, with: Value) -> Value {
    let file = id(number);
    let path = format!("src/{number}.rs");
    let words = migrations::words::Words::of(Some(name), "", &path, text);
    let defaults = json!({
        "tenant": tenant, "file_id": file, "chunk_id": format!("{number:032x}"), "repository_id": id(1), "path": path,
        "language": "rust", "commit": "c0ffee1", "kind": "function_def", "name": name, "scope": "", "signature": "",
        "part": 0, "start_line": 3, "end_line": 7, "hash": "h", "text": text, "words": words.vector,
        "length": words.length, "removed": false, "updated_at": at(1), "version": 2, "event_id": event_id(&file, 2),
        "position": "1.0.1.0",
    });
    merged(defaults, with)
}

/// Event `version` of aggregate `number`, in shard 0 at `offset`.
pub(crate) fn event(tenant: &str, number: u64, version: i64, offset: i64, with: Value) -> Value {
    let id = id(number);
    let defaults = json!({
        "tenant": tenant, "aggregate_type": "task", "aggregate_id": id, "version": version,
        "event_id": event_id(&id, version), "type": "gesta.work.task.progressed.v1", "schema_version": 1,
        "source": "urn:gesta:work/task", "subject": format!("task/{id}"), "partition_key": format!("{tenant}/task/{id}"),
        "time": at(offset), "correlation_id": format!("c-{number}"), "causation_id": "external",
        "command_id": format!("command-{offset}"), "command_type": "task.progress", "actor_type": "user",
        "actor_id": "alice", "data": {"progress": 5}, "log_generation": 1, "shard": 0, "log_offset": offset,
        "event_index": 0, "position": format!("1.0.{offset}.0"), "task_id": id,
    });
    merged(defaults, with)
}

/// Says that these projections have applied everything of `shard` below `next`.
pub(crate) async fn applied(pool: &PgPool, names: &[&str], shard: i32, next: i64) {
    for name in names {
        sqlx::query(
            "INSERT INTO gesta.projections
                (name, generation, shard, cursor, log_generation, next_offset, head_offset, last_event_at)
             VALUES ($1, 1, $2, '{}', 1, $3, $3, now())
             ON CONFLICT (generation, shard, name) DO UPDATE SET next_offset = $3, head_offset = $3, updated_at = now()",
        )
        .bind(name)
        .bind(shard)
        .bind(next)
        .execute(pool)
        .await
        .unwrap();
    }
    sqlx::query("SELECT pg_notify('gesta_projections', '{}')").execute(pool).await.unwrap();
}
