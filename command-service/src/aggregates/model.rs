//! Walks every state that an aggregate can reach in a few steps: every command in each of them, with time
//! passing in between. What is seen is held against the transition table, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use schemas::contract::Transition;
use schemas::ids::Stream;
use schemas::registry::transitions;

use super::registry::{self, AnyEvent, State};
use super::{Context, given};
use crate::command::AnyCommand;

/// Deadlines that may be due at one instant, one after the other.
const MOST_DUE_AT_ONCE: usize = 4;

/// One decision that was granted.
pub(crate) struct Step<'a> {
    pub(crate) before: Option<&'a State>,
    pub(crate) events: &'a [AnyEvent],
    pub(crate) after: Option<&'a State>,
}

/// What to walk.
pub(crate) struct Model<'a> {
    pub(crate) aggregate: &'static str,
    /// Every command, with bodies that fit and bodies that do not; tried in every state.
    pub(crate) commands: Vec<AnyCommand>,
    /// Seconds that may pass between two commands.
    pub(crate) pauses: &'a [i64],
    /// Commands and pauses from the absent state.
    pub(crate) depth: usize,
    /// Holds at every step.
    pub(crate) check: &'a dyn Fn(&Step<'_>),
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    granted: BTreeSet<(String, &'static str, Vec<&'static str>, String)>,
    /// Codes of the refusals.
    refused: BTreeMap<(String, &'static str), BTreeSet<&'static str>>,
    /// One event of each type that was met.
    pub(crate) samples: BTreeMap<&'static str, AnyEvent>,
    /// States met.
    pub(crate) states: usize,
}

fn stage(state: Option<&State>) -> String {
    state.map_or("-", State::stage).to_owned()
}

type Node = (Option<State>, DateTime<Utc>);

impl Model<'_> {
    /// Walks, and checks every state and every step on the way.
    pub(crate) fn walk(&self) -> Seen {
        let mut seen = Seen::default();
        let mut met = BTreeSet::new();
        let mut layer: Vec<Node> = vec![(None, given::second(0))];
        for _ in 0..self.depth {
            let mut next = Vec::new();
            for (state, at) in layer {
                check_state(self.aggregate, state.as_ref());
                for node in self.from(&mut seen, state.as_ref(), at) {
                    let key = format!("{} {}", node.1, serde_json::to_string(&node.0).unwrap());
                    if met.insert(key) {
                        next.push(node);
                    }
                }
            }
            layer = next;
        }
        seen.states = met.len();
        seen
    }

    fn from(&self, seen: &mut Seen, state: Option<&State>, at: DateTime<Utc>) -> Vec<Node> {
        let stream = given::stream(self.aggregate);
        let mut next: Vec<Node> = Vec::new();
        for command in &self.commands {
            let context = Context { stream: &stream, actor: given::ACTOR, at };
            match registry::decide(state, command, context) {
                Ok(events) => {
                    let after = events.iter().fold(state.cloned(), registry::evolve);
                    (self.check)(&Step { before: state, events: &events, after: after.as_ref() });
                    seen.samples.extend(events.iter().map(|event| (event.kind().0, event.clone())));
                    let kinds = events.iter().map(|event| event.kind().0).collect();
                    seen.granted.insert((stage(state), command.name(), kinds, stage(after.as_ref())));
                    next.push((after, at));
                }
                Err(refusal) => {
                    let recorded = registry::recorded(state, command, &refusal);
                    seen.samples.extend(recorded.map(|event| (event.kind().0, event)));
                    let codes = seen.refused.entry((stage(state), command.name())).or_default();
                    codes.insert(refusal.code().name());
                }
            }
        }
        if state.is_some() {
            next.extend(self.pauses.iter().map(|pause| (state.cloned(), at + TimeDelta::seconds(*pause))));
        }
        next
    }
}

/// What holds in every state: a checkpoint brings it back, and each deadline does something and moves on.
pub(crate) fn check_state(aggregate: &str, state: Option<&State>) {
    let Some(state) = state else { return };
    let text = serde_json::to_string(state).unwrap();
    assert_eq!(&serde_json::from_str::<State>(&text).unwrap(), state, "a checkpoint loses something");
    check_deadline(&given::stream(aggregate), state);
}

fn check_deadline(stream: &Stream, state: &State) {
    let Some((due, _)) = state.deadline() else { return };
    let mut state = state.clone();
    for _ in 0..MOST_DUE_AT_ONCE {
        let Some((at, command)) = state.deadline().filter(|next| next.0 <= due) else { return };
        let context = Context { stream, actor: given::ACTOR, at: due.max(at) };
        let events = registry::decide(Some(&state), &command, context).expect("due, so it is granted");
        assert!(!events.is_empty(), "{} did nothing when it was due", command.name());
        state = events.iter().fold(Some(state), registry::evolve).expect("no event ends a stream");
    }
    panic!("at {due} there is always something due again: {state:?}");
}

impl Seen {
    /// The table lists what was granted, and nothing else; what it does not list was refused as such.
    pub(crate) fn agrees_with_the_table(&self, aggregate: &str) {
        let listed: BTreeSet<_> = transitions(aggregate).iter().map(key).collect();
        assert_eq!(listed.len(), transitions(aggregate).len(), "a row stands twice");
        assert_eq!(&listed, &self.granted);
        let registered = schemas::registry::event_types().filter(|event| event.aggregate == aggregate);
        for event in registered {
            assert!(self.samples.contains_key(event.name), "nothing leads to {}", event.name);
        }
        let pairs: BTreeSet<_> = listed.iter().map(|row| (row.0.clone(), row.1)).collect();
        let stages: BTreeSet<_> = listed.iter().flat_map(|row| [row.0.clone(), row.3.clone()]).collect();
        let commands = schemas::registry::command_types().filter(|command| command.aggregate == aggregate);
        for command in commands {
            for stage in &stages {
                let pair = (stage.clone(), command.name);
                if !pairs.contains(&pair) {
                    let codes = self.refused.get(&pair).unwrap_or_else(|| panic!("{pair:?} was not tried"));
                    let ways = ["transition_refused", "not_found", "already_exists"];
                    assert!(ways.iter().any(|way| codes.contains(way)), "{pair:?}: {codes:?}");
                }
            }
        }
    }
}

fn key(row: &Transition) -> (String, &'static str, Vec<&'static str>, String) {
    (row.from.to_owned(), row.command, row.events.to_vec(), row.to.to_owned())
}
