//! Random commands at random times: what holds for every aggregate, whatever happens to it.

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::model::{Seen, check_state};
use super::registry::{self, AnyEvent, State};
use super::{Context, given, instant};
use crate::command::AnyCommand;

/// One command and what comes before it.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Milliseconds since the last turn.
    pub(crate) pause_ms: u64,
    /// Whether the shard is in time with what is due, or this command comes first.
    pub(crate) timers_first: bool,
    pub(crate) command: AnyCommand,
}

/// Turns with these commands.
pub(crate) fn turns(command: impl Strategy<Value = AnyCommand>) -> impl Strategy<Value = Vec<Turn>> {
    let pause_ms = prop_oneof![20 => 0..20_000_u64, 1 => any::<u64>()];
    let turn = (pause_ms, any::<bool>(), command);
    let turn = turn.prop_map(|(pause_ms, timers_first, command)| Turn { pause_ms, timers_first, command });
    prop::collection::vec(turn, 1..40)
}

/// An instant of a client: mostly soon, sometimes absurd.
pub(crate) fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![
        8 => (0..90_000_u64).prop_map(|ms| instant::after(given::second(0), ms)),
        1 => any::<i64>().prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::<Utc>::MAX_UTC)),
        1 => Just(DateTime::<Utc>::MIN_UTC),
    ]
}

/// A life: the events in order, and the state after them.
pub(crate) struct Lived {
    pub(crate) events: Vec<AnyEvent>,
    pub(crate) state: Option<State>,
}

/// Lives through the turns, checking every state on the way.
pub(crate) fn live(aggregate: &str, turns: &[Turn]) -> Lived {
    let mut lived = Lived { events: Vec::new(), state: None };
    let mut at = given::second(0);
    for turn in turns {
        at = instant::after(at, turn.pause_ms);
        while let Some((_, command)) = lived
            .state
            .as_ref()
            .filter(|_| turn.timers_first)
            .and_then(State::deadline)
            .filter(|due| due.0 <= at)
        {
            assert!(lived.decide(aggregate, &command, at), "{} was due and refused", command.name());
        }
        lived.decide(aggregate, &turn.command, at);
        check_state(aggregate, lived.state.as_ref());
    }
    lived
}

impl Lived {
    fn decide(&mut self, aggregate: &str, command: &AnyCommand, at: DateTime<Utc>) -> bool {
        let stream = given::stream(aggregate);
        let context = Context { stream: &stream, actor: given::ACTOR, at };
        let decision = registry::decide(self.state.as_ref(), command, context);
        let recorded = match &decision {
            Ok(events) => events.clone(),
            Err(refusal) => registry::recorded(self.state.as_ref(), command, refusal).into_iter().collect(),
        };
        self.state = recorded.iter().fold(self.state.take(), registry::evolve);
        self.events.extend(recorded);
        decision.is_ok()
    }
}

/// PLAT-2: the fold of a stored state and the rest is the fold of all, wherever it was stored, also when
/// the events went through the log.
pub(crate) fn folds_are_equal(aggregate: &str, lived: &Lived, cut: usize) {
    let cut = cut % (lived.events.len() + 1);
    let prefix = lived.events[..cut].iter().fold(None, registry::evolve);
    let stored = serde_json::to_string(&prefix).unwrap();
    let mut state: Option<State> = serde_json::from_str(&stored).unwrap();
    for (version, event) in (1_u64..).zip(&lived.events).skip(cut) {
        let record = event.record(given::stream(aggregate), version);
        state = registry::evolve_record(state, &record).unwrap();
    }
    assert_eq!(state, lived.state);
}

/// Events in any order, whether or not they can follow each other: nothing panics, and every state that
/// comes of them keeps the rules.
pub(crate) fn endures(aggregate: &str, seen: &Seen, order: &[prop::sample::Index]) {
    let samples: Vec<AnyEvent> = seen.samples.values().cloned().collect();
    let mut state = None;
    for index in order {
        let existed = state.is_some();
        state = registry::evolve(state, index.get(&samples));
        assert!(state.is_some() || !existed, "an event ended a stream");
        check_state(aggregate, state.as_ref());
    }
}
