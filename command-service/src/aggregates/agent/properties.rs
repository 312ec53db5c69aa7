//! Random lives of agents.

use std::sync::OnceLock;

use proptest::prelude::*;
use schemas::agent::{AgentCommand, SpawnAgent};

use super::Agent;
use super::model::{self, seen};
use super::samples::{ask, spawn};
use crate::aggregates::Aggregate;
use crate::aggregates::model::Seen;
use crate::aggregates::properties::{endures, folds_are_equal, live, turns};
use crate::command::AnyCommand;

fn milliseconds() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..20_000_u32, 1 => any::<u32>()]
}

pub(crate) fn commands() -> impl Strategy<Value = AnyCommand> {
    let spawns =
        (milliseconds(), prop_oneof![0..3_u32, any::<u32>()]).prop_map(|(heartbeat_ms, max_retries)| {
            AgentCommand::from(SpawnAgent { heartbeat_ms, max_retries, ..spawn() })
        });
    let asks = prop::option::of(milliseconds()).prop_map(|timeout_ms| AgentCommand::from(ask(timeout_ms)));
    prop_oneof![1 => spawns, 1 => asks, 16 => prop::sample::select(model::commands())]
        .prop_map(AnyCommand::Agent)
}

fn walked() -> &'static Seen {
    static SEEN: OnceLock<Seen> = OnceLock::new();
    SEEN.get_or_init(seen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// AGENT-6, AGENT-34, M-4, PLAT-2: at every turn of a random life each deadline does something and
    /// moves on, and a stored state goes on like the whole.
    #[test]
    fn a_random_life_keeps_the_rules(turns in turns(commands()), cut in any::<usize>()) {
        folds_are_equal(Agent::TYPE, &live(Agent::TYPE, &turns), cut);
    }

    /// M-4: `evolve` is total.
    #[test]
    fn any_event_meets_any_state(order in prop::collection::vec(any::<prop::sample::Index>(), 1..60)) {
        endures(Agent::TYPE, walked(), &order);
    }
}
