//! `agent_list`: every agent with its present state.

use chrono::{DateTime, Utc};
use migrations::table::Table;
use migrations::{AGENT_LIST, AgentListRow, JsonText};
use schemas::agent::{AgentEvent, AgentPaused, AgentRestarted, AgentSpawnRequested};
use schemas::ids::AggregateId;
use schemas::text::Personal;

use crate::event::{Body, Event};
use crate::projection::{AggregateKey, KeyArray, Order, Projection, aggregate_arrays, aggregate_key};
use crate::stage::{self, name_of};

/// The read model.
#[derive(Debug)]
pub struct AgentList;

impl Projection for AgentList {
    type Key = AggregateKey;
    type Row = AgentListRow;

    const NAME: &'static str = "agent_list";
    const READS: &'static [&'static str] = &["agent"];
    const TABLE: &'static Table<AgentListRow> = AGENT_LIST;

    fn key(event: &Event) -> Option<AggregateKey> {
        matches!(event.body(), Body::Agent(_)).then(|| aggregate_key(event))
    }

    fn key_of(row: &AgentListRow) -> AggregateKey {
        (row.tenant.clone(), row.id)
    }

    fn arrays(keys: &[AggregateKey]) -> Vec<KeyArray> {
        aggregate_arrays(keys)
    }

    fn is_first(event: &Event) -> bool {
        event.version() == 1
    }

    fn order(row: Option<&AgentListRow>, event: &Event) -> Order {
        Order::of(row.map(|row| row.version), event)
    }

    fn fold(row: Option<AgentListRow>, event: &Event) -> Option<AgentListRow> {
        let Body::Agent(body) = event.body() else { return row };
        let mut row = match (row, body) {
            (None, AgentEvent::AgentSpawnRequested(requested)) => first(event, requested),
            (Some(row), _) => row,
            (None, _) => return None,
        };
        apply(&mut row, body, event.at());
        if let Some(state) = stage::after(Some(&row.lifecycle_state), event.body()) {
            enter(&mut row, state, event.at());
        }
        row.availability = availability(&row, body).to_owned();
        row.updated_at = event.at();
        row.version = event.version();
        row.event_id = event.id();
        row.position = event.position().to_string();
        Some(row)
    }
}

fn text(personal: Option<&Personal>) -> Option<String> {
    personal.map(|personal| personal.0.clone())
}

fn first(event: &Event, requested: &AgentSpawnRequested) -> AgentListRow {
    AgentListRow {
        tenant: event.tenant().clone(),
        id: event.aggregate_id(),
        kind: name_of(&requested.kind),
        label: text(requested.label.as_ref()),
        model: requested.model.clone(),
        task: text(requested.task.as_ref()),
        team_id: requested.team_id.map(AggregateId::uuid),
        config: JsonText::of(&requested.config),
        context: JsonText::of(&requested.context),
        code: text(requested.code.as_ref()),
        reasoning: text(requested.reasoning.as_ref()),
        safety_boundaries: JsonText::of(&requested.safety_boundaries),
        capabilities: JsonText::of(&requested.capabilities),
        roles: JsonText::of(&requested.roles),
        labels: JsonText::of(&requested.labels),
        lifecycle_state: "initializing".to_owned(),
        status: "pending".to_owned(),
        availability: "offline".to_owned(),
        draining: false,
        alive_until: None,
        last_heartbeat: None,
        heartbeat_ms: requested.heartbeat_ms.into(),
        session_id: None,
        worktree: None,
        commits: JsonText::of(&[(); 0]),
        incarnation: 1,
        spawned_at: event.at(),
        completed_at: None,
        pause_time: None,
        paused_by: None,
        resume_to: None,
        runtime_ms: 0,
        executing_since: None,
        prompt: None,
        input_deadline: None,
        summary: None,
        retry_count: 0,
        max_retries: requested.max_retries.into(),
        last_error: None,
        reason: None,
        budget_limit: requested.budget_limit.clone(),
        archived: false,
        metadata: JsonText::of(&requested.metadata),
        correlation_id: event.commit().correlation.clone(),
        created_by: event.actor(),
        updated_at: event.at(),
        version: 0,
        event_id: event.id(),
        position: String::new(),
    }
}

fn apply(row: &mut AgentListRow, event: &AgentEvent, at: DateTime<Utc>) {
    use AgentEvent as E;
    match event {
        E::WorktreeCreated(created) => row.worktree = Some(created.path.clone()),
        E::SessionStarted(started) => {
            row.session_id = started.session_id.map(AggregateId::uuid);
            alive(row, started.alive_until, at);
        }
        E::InputAwaited(awaited) => {
            row.prompt = text(awaited.prompt.as_ref());
            row.input_deadline = awaited.input_deadline;
        }
        E::AgentPaused(paused) => pause(row, paused, at),
        E::AgentResumed(resumed) => {
            (row.pause_time, row.paused_by, row.resume_to) = (None, None, None);
            row.input_deadline = resumed.input_deadline;
        }
        E::CompletionStarted(started) => row.summary = text(started.summary.as_ref()),
        E::ResultCommitted(committed) => row.commits = JsonText::of(&committed.commits),
        E::WorktreeFailed(failed) => row.last_error = Some(failed.error.0.clone()),
        E::SpawnFailed(failed) => row.last_error = Some(failed.error.0.clone()),
        E::AgentFailed(failed) => row.last_error = Some(failed.error.0.clone()),
        E::CleanupFailed(failed) => row.last_error = Some(failed.error.0.clone()),
        E::InputTimedOut(_) => row.last_error = Some("the awaited input did not come in time".to_owned()),
        E::AgentRetried(retried) => {
            row.retry_count = retried.retry_count.into();
            alive(row, retried.alive_until, at);
        }
        E::AgentKilled(killed) => row.reason = text(killed.reason.as_ref()),
        E::AgentRestarted(restarted) => restart(row, restarted),
        E::AgentArchived(_) => row.archived = true,
        E::HeartbeatRecorded(heartbeat) => alive(row, heartbeat.alive_until, at),
        E::AgentWentOffline(offline) => row.alive_until = Some(offline.last_alive_until),
        E::DrainStarted(drain) => {
            row.draining = true;
            row.reason = text(drain.reason.as_ref());
        }
        E::CapabilitiesDeclared(declared) => {
            row.capabilities = JsonText::of(&declared.capabilities);
            row.roles = JsonText::of(&declared.roles);
        }
        E::AgentSpawnRequested(_) | E::InputReceived(_) | E::AgentCompleted(_) => {}
    }
}

fn alive(row: &mut AgentListRow, until: DateTime<Utc>, at: DateTime<Utc>) {
    row.alive_until = Some(until);
    row.last_heartbeat = Some(at);
}

fn pause(row: &mut AgentListRow, paused: &AgentPaused, at: DateTime<Utc>) {
    row.pause_time = Some(at);
    row.paused_by = Some(paused.paused_by.clone());
    row.resume_to = Some(name_of(&paused.resume_to));
    row.reason = text(paused.reason.as_ref());
}

fn restart(row: &mut AgentListRow, restarted: &AgentRestarted) {
    row.incarnation = restarted.incarnation.into();
    row.retry_count = 0;
    row.draining = false;
    row.reason = text(restarted.reason.as_ref());
    (row.worktree, row.session_id, row.summary) = (None, None, None);
    (row.alive_until, row.last_heartbeat) = (None, None);
}

/// Enters another state: intervals of executing end and begin, and what belonged to the former state goes.
fn enter(row: &mut AgentListRow, state: &str, at: DateTime<Utc>) {
    if let Some(since) = row.executing_since.take() {
        row.runtime_ms += at.signed_duration_since(since).num_milliseconds();
    }
    row.executing_since = (state == "executing").then_some(at);
    if state != "paused" {
        (row.pause_time, row.paused_by, row.resume_to) = (None, None, None);
    }
    if !matches!(state, "waiting" | "paused") {
        (row.prompt, row.input_deadline) = (None, None);
    }
    row.completed_at = is_ended(state).then_some(at);
    row.status = status(state).to_owned();
    row.lifecycle_state = state.to_owned();
}

fn is_ended(state: &str) -> bool {
    matches!(state, "completed" | "failed" | "killed")
}

fn status(state: &str) -> &str {
    match state {
        "initializing" => "pending",
        "spawning" => "initializing",
        "executing" | "waiting" | "completing" | "cleaning_up" => "running",
        same => same,
    }
}

fn availability(row: &AgentListRow, event: &AgentEvent) -> &'static str {
    use AgentEvent as E;
    let online = match event {
        E::SessionStarted(_) | E::AgentRetried(_) | E::HeartbeatRecorded(_) => true,
        E::AgentWentOffline(_) => false,
        _ => row.availability != "offline",
    };
    let there = !is_ended(&row.lifecycle_state) && row.lifecycle_state != "initializing";
    match (online && there, row.draining) {
        (false, _) => "offline",
        (true, true) => "draining",
        (true, false) => "idle",
    }
}

#[cfg(test)]
mod tests;
