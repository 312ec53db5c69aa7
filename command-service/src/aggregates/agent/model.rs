//! Every transition of an agent, listed or forbidden.

use schemas::agent::{
    AgentCommand, AgentEvent, ArchiveAgent, CommitResult, CompleteAgent, DeclareCapabilities, DrainAgent,
    ExpireHeartbeat, FailCleanup, FailSpawn, FailWorktree, FinishCleanup, KillAgent, PauseAgent,
    ReceiveInput, RecordHeartbeat, ReportError, RestartAgent, ResumeAgent, RetryAgent, SpawnAgent,
    TimeOutInput,
};

use super::Agent;
use super::samples::{ask, session, spawn, worktree};
use crate::aggregates::Aggregate;
use crate::aggregates::model::{Model, Seen, Step};
use crate::aggregates::registry::{AnyEvent, State};
use crate::command::AnyCommand;

/// Every command.
pub(super) fn commands() -> Vec<AgentCommand> {
    vec![
        spawn().into(),
        SpawnAgent { max_retries: 0, heartbeat_ms: 2_000, ..spawn() }.into(),
        worktree().into(),
        FailWorktree { error: "no".into() }.into(),
        session().into(),
        FailSpawn { error: "no".into() }.into(),
        ask(None).into(),
        ask(Some(5_000)).into(),
        ReceiveInput { input: None }.into(),
        PauseAgent { reason: None }.into(),
        ResumeAgent {}.into(),
        ReportError { error: "no".into() }.into(),
        CompleteAgent { summary: None }.into(),
        CommitResult { commits: Vec::new() }.into(),
        FinishCleanup {}.into(),
        FailCleanup { error: "no".into() }.into(),
        RetryAgent {}.into(),
        KillAgent { reason: None }.into(),
        RestartAgent { reason: None }.into(),
        ArchiveAgent {}.into(),
        RecordHeartbeat {}.into(),
        DrainAgent { reason: None }.into(),
        DeclareCapabilities { capabilities: Vec::new(), roles: Vec::new() }.into(),
        TimeOutInput {}.into(),
        ExpireHeartbeat {}.into(),
    ]
}

/// M-4: retries stay within their limit, incarnations rise one by one, nothing happens to an archived agent.
fn invariants(step: &Step<'_>) {
    let (Some(State::Agent(before)), Some(State::Agent(after))) = (step.before, step.after) else { return };
    assert!(after.retries <= after.max_retries);
    let restarts =
        step.events.iter().filter(|event| matches!(event, AnyEvent::Agent(AgentEvent::AgentRestarted(_))));
    assert_eq!(before.incarnation as usize + restarts.count(), after.incarnation as usize);
    assert!(!before.archived || step.events.is_empty(), "an archived agent did {:?}", step.events);
    assert!(!after.archived || after.life.is_ended());
}

/// Walks them all.
pub(super) fn seen() -> Seen {
    let commands = commands().into_iter().map(AnyCommand::Agent).collect();
    Model { aggregate: Agent::TYPE, commands, pauses: &[6], depth: 9, check: &invariants }.walk()
}

/// AGENT-5, AGENT-6, AGENT-9, M-4, PLAT-2: every listed and every forbidden transition, and in every state
/// reached the invariants, the deadline rule and the checkpoint.
#[test]
fn every_transition_is_listed_and_every_listed_one_happens() {
    let seen = seen();
    assert!(seen.states > 1_000, "only {} states", seen.states);
    seen.agrees_with_the_table(Agent::TYPE);
}
