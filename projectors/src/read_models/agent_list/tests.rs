use schemas::agent::*;

use super::*;
use crate::given::{agent, at, last, rows, spawned};

fn executing() -> Vec<AgentEvent> {
    vec![
        spawned().into(),
        WorktreeCreated { path: "/w".into() }.into(),
        SessionStarted { session_id: None, alive_until: at(30) }.into(),
    ]
}

fn and(more: Vec<AgentEvent>) -> Vec<Event> {
    agent([executing(), more].concat())
}

fn paused() -> AgentEvent {
    let (paused_by, resume_to) = ("user/alice".into(), ResumeTo::Executing);
    AgentPaused { paused_by, resume_to, reason: Some("lunch".into()), input_left_ms: None }.into()
}

fn resumed() -> AgentEvent {
    AgentResumed { to: ResumeTo::Executing, input_deadline: None }.into()
}

/// AGENT-1, AGENT-4: the lifecycle and the status derived from it.
#[test]
fn the_status_follows_the_lifecycle() {
    let more = vec![
        InputAwaited { prompt: Some("?".into()), input_deadline: Some(at(60)) }.into(),
        InputReceived { input: None }.into(),
        paused(),
        resumed(),
        CompletionStarted { summary: Some("done".into()) }.into(),
        ResultCommitted { commits: vec!["abc".into()] }.into(),
        AgentCompleted {}.into(),
        AgentArchived {}.into(),
    ];
    let all = rows::<AgentList>(&and(more));
    let states: Vec<_> = all.iter().map(|row| (row.lifecycle_state.as_str(), row.status.as_str())).collect();
    let expected = [
        ("initializing", "pending"),
        ("spawning", "initializing"),
        ("executing", "running"),
        ("waiting", "running"),
        ("executing", "running"),
        ("paused", "paused"),
        ("executing", "running"),
        ("completing", "running"),
        ("cleaning_up", "running"),
        ("completed", "completed"),
        ("completed", "completed"),
    ];
    assert_eq!(states, expected);
    assert_eq!((all[5].pause_time, all[5].paused_by.as_deref()), (Some(at(5)), Some("user/alice")));
    assert_eq!((all[6].pause_time, all[3].input_deadline), (None, Some(at(60))));
    let row = all.last().unwrap();
    assert_eq!(
        (row.completed_at, row.archived, row.commits.clone()),
        (Some(at(9)), true, JsonText::of(&["abc"]))
    );
}

/// AGENT-28: seconds of executing; pauses and waiting do not count.
#[test]
fn the_runtime_is_the_time_of_executing() {
    // Executing 2–3, paused 3–4, executing 4–5, waiting 5–6, executing 6–8, with a heartbeat in between.
    let more = vec![
        paused(),
        resumed(),
        InputAwaited { prompt: None, input_deadline: None }.into(),
        InputReceived { input: None }.into(),
        HeartbeatRecorded { alive_until: at(60) }.into(),
        AgentFailed { error: "boom".into() }.into(),
    ];
    let all = rows::<AgentList>(&and(more));
    let runtimes: Vec<_> = all.iter().map(|row| row.runtime_ms).collect();
    assert_eq!(runtimes, [0, 0, 0, 1_000, 1_000, 2_000, 2_000, 2_000, 4_000]);
    assert_eq!((all[7].executing_since, all[8].executing_since), (Some(at(6)), None));
}

/// AGENT-6: availability from the agent's own signs of life.
#[test]
fn availability_follows_heartbeats_and_drain() {
    let more = vec![
        AgentWentOffline { last_alive_until: at(30) }.into(),
        HeartbeatRecorded { alive_until: at(60) }.into(),
        DrainStarted { reason: None }.into(),
        AgentWentOffline { last_alive_until: at(60) }.into(),
        HeartbeatRecorded { alive_until: at(90) }.into(),
        AgentKilled { reason: None }.into(),
    ];
    let all = rows::<AgentList>(&and(more));
    let seen: Vec<_> = all.iter().map(|row| row.availability.as_str()).collect();
    let expected =
        ["offline", "offline", "idle", "offline", "idle", "draining", "offline", "draining", "offline"];
    assert_eq!(seen, expected);
    assert_eq!((all[7].last_heartbeat, all[7].alive_until), (Some(at(7)), Some(at(90))));
}

/// AGENT-29: retries are counted; a restart is a new incarnation with none.
#[test]
fn a_failed_agent_is_retried_and_restarted() {
    let failed = || AgentFailed { error: "boom".into() }.into();
    let more = vec![
        failed(),
        AgentRetried { retry_count: 1, alive_until: at(60) }.into(),
        failed(),
        AgentKilled { reason: None }.into(),
        AgentRestarted { incarnation: 2, reason: Some("again".into()) }.into(),
    ];
    let all = rows::<AgentList>(&and(more));
    assert_eq!((all[4].status.as_str(), all[4].retry_count, all[4].completed_at), ("running", 1, None));
    assert_eq!(all[4].last_error.as_deref(), Some("boom"));
    let row = all.last().unwrap();
    assert_eq!((row.lifecycle_state.as_str(), row.incarnation, row.retry_count), ("initializing", 2, 0));
    assert_eq!((row.worktree.clone(), row.completed_at), (None, None));
}

/// AGENT-35: declared capabilities and roles replace the former ones.
#[test]
fn declared_capabilities_replace_the_former() {
    let declared = CapabilitiesDeclared { capabilities: vec!["go".into()], roles: vec!["reviewer".into()] };
    let row = last::<AgentList>(&and(vec![declared.into()]));
    assert_eq!((row.capabilities, row.roles), (JsonText::of(&["go"]), JsonText::of(&["reviewer"])));
    assert_eq!((row.kind.as_str(), row.model.as_str()), ("worker_manager", "none"));
}
