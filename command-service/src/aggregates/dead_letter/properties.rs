//! Random decisions about dead letters.

use proptest::prelude::*;

use super::DeadLetter;
use super::model;
use crate::aggregates::Aggregate;
use crate::aggregates::properties::{endures, folds_are_equal, live, turns};
use crate::command::AnyCommand;

pub(crate) fn commands() -> impl Strategy<Value = AnyCommand> {
    prop::sample::select(model::commands()).prop_map(AnyCommand::DeadLetter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// PLAT-2: a stored state goes on like the whole.
    #[test]
    fn a_random_life_keeps_the_rules(turns in turns(commands()), cut in any::<usize>()) {
        folds_are_equal(DeadLetter::TYPE, &live(DeadLetter::TYPE, &turns), cut);
    }

    /// `evolve` is total.
    #[test]
    fn any_event_meets_any_state(order in prop::collection::vec(any::<prop::sample::Index>(), 1..20)) {
        endures(DeadLetter::TYPE, &model::seen(), &order);
    }
}
