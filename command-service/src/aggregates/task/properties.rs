//! Random lives of tasks.

use std::sync::OnceLock;

use proptest::prelude::*;
use schemas::task::{
    BackoffKind, CreateTask, PolicyInput, Priority, ReportProgress, TaskCommand, TaskEvent, UpdateTask,
};

use super::Task;
use super::model::{seen, tokenless, with_token};
use super::samples::create;
use crate::aggregates::Aggregate;
use crate::aggregates::model::Seen;
use crate::aggregates::properties::{endures, folds_are_equal, instants, live, turns};
use crate::aggregates::registry::AnyEvent;
use crate::command::AnyCommand;

fn milliseconds() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(prop_oneof![4 => 0..20_000_u32, 1 => any::<u32>()])
}

fn policies() -> impl Strategy<Value = PolicyInput> {
    let kinds = [BackoffKind::Constant, BackoffKind::Linear, BackoffKind::Exponential];
    let attempts = prop::option::of(prop_oneof![4 => 0..4_u32, 1 => any::<u32>()]);
    let waits = (milliseconds(), milliseconds(), milliseconds(), milliseconds());
    (waits, attempts, prop::sample::select(kinds.to_vec())).prop_map(|(waits, max_attempts, kind)| {
        PolicyInput {
            lease_ms: waits.0,
            grace_ms: waits.1,
            max_attempts,
            backoff: Some(kind),
            backoff_base_ms: waits.2,
            backoff_max_ms: waits.3,
            ageing_ms: None,
        }
    })
}

fn creations() -> impl Strategy<Value = TaskCommand> {
    let instants = (prop::option::of(instants()), prop::option::of(instants()));
    (policies(), instants, any::<bool>()).prop_map(|(policy, (run_at, deadline), hold)| {
        CreateTask { policy, run_at, deadline, hold, ..create() }.into()
    })
}

fn tokens() -> impl Strategy<Value = u32> {
    prop_oneof![20 => 0..4_u32, 1 => any::<u32>()]
}

pub(crate) fn commands() -> impl Strategy<Value = AnyCommand> {
    let progress =
        (tokens(), any::<u8>(), prop::option::of(instants())).prop_map(|(token, progress, estimate)| {
            let (fencing_token, estimated_completion) = (token, estimate);
            ReportProgress { fencing_token, progress, note: None, estimated_completion }.into()
        });
    let rank = prop::sample::select(vec![Priority::Low, Priority::Critical]);
    let update = rank.prop_map(|rank| UpdateTask { priority: Some(rank), ..UpdateTask::default() }.into());
    prop_oneof![
        3 => creations(),
        8 => prop::sample::select(tokenless()),
        16 => tokens().prop_flat_map(|token| prop::sample::select(with_token(token))),
        1 => progress,
        1 => update,
    ]
    .prop_map(AnyCommand::Task)
}

fn walked() -> &'static Seen {
    static SEEN: OnceLock<Seen> = OnceLock::new();
    SEEN.get_or_init(seen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// TASK-2, TASK-10, TASK-11, TASK-12, M-8, PLAT-2: at every turn of a random life each deadline does
    /// something and moves on, tokens rise strictly, and each use of a stale one is recorded at most once.
    #[test]
    fn a_random_life_keeps_the_rules(turns in turns(commands()), cut in any::<usize>()) {
        let lived = live(Task::TYPE, &turns);
        let (mut newest, mut refused) = (0, Vec::new());
        for event in &lived.events {
            match event {
                AnyEvent::Task(TaskEvent::TaskAssigned(assigned)) => {
                    prop_assert!(assigned.fencing_token > newest);
                    newest = assigned.fencing_token;
                }
                AnyEvent::Task(TaskEvent::StaleTokenRefused(stale)) => {
                    prop_assert!((1..=newest).contains(&stale.given) && stale.current == newest);
                    prop_assert!(!refused.contains(&stale.given));
                    refused.push(stale.given);
                }
                _ => {}
            }
        }
        folds_are_equal(Task::TYPE, &lived, cut);
    }

    /// M-8: `evolve` is total.
    #[test]
    fn any_event_meets_any_state(order in prop::collection::vec(any::<prop::sample::Index>(), 1..60)) {
        endures(Task::TYPE, walked(), &order);
    }
}
