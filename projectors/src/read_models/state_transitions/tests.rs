use schemas::agent::*;
use schemas::task::*;

use super::*;
use crate::given::{agent, assigned, at, created, rows, spawned, task};

fn transitions(events: &[Event]) -> Vec<(Option<String>, String)> {
    let mut all = rows::<StateTransitions>(events);
    all.dedup();
    all.into_iter().map(|row| (row.from_state, row.to_state)).collect()
}

fn chain(states: &[&str]) -> Vec<(Option<String>, String)> {
    let from = std::iter::once(None).chain(states.iter().map(|state| Some((*state).to_owned())));
    from.zip(states.iter().map(|state| (*state).to_owned())).collect()
}

/// PLAT-18: from, to, event, time and actor of each change; what changes no state is none.
#[test]
fn each_change_of_state_is_a_row() {
    let events = task(vec![
        created().into(),
        TaskQueued { because: QueuedBecause::Created, enqueued_at: at(1) }.into(),
        assigned(1, 1).into(),
        TaskStarted { fencing_token: 1 }.into(),
        LeaseRenewed { fencing_token: 1, lease_expires_at: at(90) }.into(),
        LeaseExpired { fencing_token: 1, worker: "w".into() }.into(),
        TaskFailed { attempt: 1, stage: Stage::Timeout, reason: "r".into(), error: None }.into(),
    ]);
    assert_eq!(transitions(&events), chain(&["pending", "queued", "assigned", "running", "failed"]));
    let all = rows::<StateTransitions>(&events);
    let row = all.last().unwrap();
    assert_eq!((row.version, row.at, row.actor.as_str()), (7, at(6), "user/alice"));
    assert_eq!(
        (row.event_type.as_str(), row.command_type.as_str()),
        ("gesta.work.task.failed.v1", "some.command")
    );
}

/// A completed agent that is restarted goes from completed to initializing: the kill in between is none.
#[test]
fn killing_a_completed_agent_changes_no_state() {
    let alive_until = at(30);
    let events = agent(vec![
        spawned().into(),
        WorktreeCreated { path: "/w".into() }.into(),
        SessionStarted { session_id: None, alive_until }.into(),
        CompletionStarted { summary: None }.into(),
        AgentCompleted {}.into(),
        AgentKilled { reason: None }.into(),
        AgentRestarted { incarnation: 2, reason: None }.into(),
    ]);
    let expected =
        chain(&["initializing", "spawning", "executing", "completing", "completed", "initializing"]);
    assert_eq!(transitions(&events), expected);
}
