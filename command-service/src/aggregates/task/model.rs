//! Every transition of a task, listed or forbidden.

use schemas::task::{
    AcknowledgeCancel, ClaimTasks, CompensateTask, CompleteCompensation, CompleteTask, CreateTask,
    DeadLetterTask, DiscardTask, ElapseGrace, EnqueueTask, ExpireLease, FailCompensation, FailTask, MakeDue,
    PolicyInput, RedriveTask, ReleaseTask, RenewLease, ReportProgress, TaskCommand, TaskEvent, TimeOutTask,
    UpdateTask,
};

use super::Task;
use super::samples::{assign, create, fail, start};
use super::state::Life;
use crate::aggregates::Aggregate;
use crate::aggregates::given::second;
use crate::aggregates::model::{Model, Seen, Step};
use crate::aggregates::registry::{AnyEvent, State};
use crate::command::AnyCommand;

/// Stages that only a redrive or a compensation leaves.
const ENDED: [&str; 7] =
    ["succeeded", "failed", "dead_lettered", "discarded", "cancelled", "compensated", "compensation_failed"];
/// Stages that those lead to.
const AFTER_THE_END: [&str; 6] =
    ["dead_lettered", "queued", "discarded", "compensating", "compensated", "compensation_failed"];

fn creations() -> Vec<TaskCommand> {
    let once = PolicyInput { max_attempts: Some(1), ..create().policy };
    let no_wait = PolicyInput { backoff_base_ms: Some(0), grace_ms: Some(0), ..create().policy };
    [
        create(),
        CreateTask { hold: true, run_at: Some(second(6)), ..create() },
        CreateTask { run_at: Some(second(6)), deadline: Some(second(12)), ..create() },
        CreateTask { policy: once, ..create() },
        CreateTask { policy: no_wait, deadline: Some(second(12)), ..create() },
    ]
    .map(TaskCommand::from)
    .into()
}

/// Commands that need no token.
pub(super) fn tokenless() -> Vec<TaskCommand> {
    let update = UpdateTask { title: Some("New".into()), ..UpdateTask::default() };
    let claim = ClaimTasks { worker: "w-1".into(), queues: vec!["default".into()], max: 1, wait: 0 };
    vec![
        EnqueueTask {}.into(),
        update.into(),
        claim.into(),
        assign("w-2").into(),
        schemas::task::CancelTask { reason: None }.into(),
        ElapseGrace {}.into(),
        DeadLetterTask {}.into(),
        RedriveTask { reason: None }.into(),
        DiscardTask { reason: "no".into() }.into(),
        CompensateTask { reason: None }.into(),
        CompleteCompensation {}.into(),
        FailCompensation { error: "no".into() }.into(),
        MakeDue {}.into(),
        TimeOutTask {}.into(),
    ]
}

/// Commands of a lease holder.
pub(super) fn with_token(fencing_token: u32) -> Vec<TaskCommand> {
    vec![
        start(fencing_token).into(),
        ReportProgress { fencing_token, progress: 50, note: None, estimated_completion: None }.into(),
        RenewLease { fencing_token }.into(),
        ReleaseTask { fencing_token, reason: None }.into(),
        CompleteTask { fencing_token, result: serde_json::Map::new() }.into(),
        fail(fencing_token).into(),
        FailTask { retriable: false, ..fail(fencing_token) }.into(),
        AcknowledgeCancel { fencing_token }.into(),
        ExpireLease { fencing_token }.into(),
    ]
}

fn task(state: Option<&State>) -> Option<&Task> {
    match state {
        Some(State::Task(task)) => Some(task),
        _ => None,
    }
}

/// M-8: at most one live lease, tokens rise, an ended task stays ended but for redrive and compensation.
fn invariants(step: &Step<'_>) {
    let (before, after) = (task(step.before), task(step.after));
    for event in step.events {
        if let AnyEvent::Task(TaskEvent::TaskAssigned(assigned)) = event {
            let before = before.expect("nothing is assigned before it is created");
            assert!(matches!(before.life, Life::Queued(_)), "a second lease beside {:?}", before.life);
            assert!(assigned.fencing_token > before.issued, "token {} again", assigned.fencing_token);
        }
    }
    if let (Some(before), Some(after)) = (before, after) {
        assert!(after.issued >= before.issued);
        assert_eq!(after.life.lease().is_some(), after.lease_view().is_some());
        let moved = before.stage() != after.stage();
        assert!(!(moved && ENDED.contains(&before.stage())) || AFTER_THE_END.contains(&after.stage()));
    }
}

/// Walks them all.
pub(super) fn seen() -> Seen {
    let commands = [creations(), tokenless(), with_token(1), with_token(2)].concat();
    let commands = commands.into_iter().map(AnyCommand::Task).collect();
    Model { aggregate: Task::TYPE, commands, pauses: &[6], depth: 8, check: &invariants }.walk()
}

/// TASK-2, TASK-10, TASK-11, M-8, PLAT-2: every listed and every forbidden transition, and in every state
/// reached the invariants, the deadline rule and the checkpoint.
#[test]
fn every_transition_is_listed_and_every_listed_one_happens() {
    let seen = seen();
    assert!(seen.states > 1_000, "only {} states", seen.states);
    seen.agrees_with_the_table(Task::TYPE);
}
