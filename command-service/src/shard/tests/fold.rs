//! What the shard holds is what the log says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use event_log::Cursor;
use proptest::prelude::*;
use schemas::ids::{AggregateId, Route, Stream};
use schemas::registry::event_types;
use schemas::task::TaskCommand;

use super::{Bench, submission_of, tenant};
use crate::aggregates::registry::{self, State};
use crate::aggregates::{agent, dead_letter, repository, source_file, task};
use crate::command::AnyCommand;
use crate::shard::{Input, Memory, Settings, Shard};

/// Streams of each aggregate that the commands go to.
const STREAMS: usize = 2;

fn aggregates() -> BTreeSet<&'static str> {
    event_types().map(|event| event.aggregate).collect()
}

fn commands(aggregate: &str) -> BoxedStrategy<AnyCommand> {
    match aggregate {
        "task" => task::properties::commands().boxed(),
        "agent" => agent::properties::commands().boxed(),
        "dead_letter" => dead_letter::properties::commands().boxed(),
        "repository" => prop::sample::select(repository::tests::commands()).boxed(),
        "source_file" => source_file::model::random().boxed(),
        other => panic!("{other} needs random commands here"),
    }
}

fn streams(aggregate: &'static str) -> Vec<Stream> {
    let route = Route::of(&tenant(), "default");
    let stream = |n| {
        Stream::of(&tenant(), aggregate, AggregateId::derive(&tenant(), aggregate, route, &format!("{n}")))
    };
    (0..STREAMS).map(stream).collect()
}

/// A pause in milliseconds, a stream, and a command for it.
fn turns() -> impl Strategy<Value = Vec<(i64, Stream, AnyCommand)>> {
    let turn = |aggregate| (0..20_000_i64, prop::sample::select(streams(aggregate)), commands(aggregate));
    let turns = aggregates().into_iter().map(|aggregate| turn(aggregate).boxed());
    prop::collection::vec(prop::strategy::Union::new(turns), 1..60)
}

/// Version and state of every stream, folded from the commits of the log alone.
fn folded(bench: &Bench) -> BTreeMap<String, (Stream, u64, Option<State>)> {
    let mut states = BTreeMap::new();
    for event in bench.commits().iter().flat_map(|commit| &commit.events) {
        let name = event.stream.to_string();
        let (_, version, state) = states.entry(name).or_insert((event.stream.clone(), 0, None));
        assert_eq!(event.version, *version + 1);
        *version = event.version;
        *state = registry::evolve_record(state.take(), event).unwrap();
    }
    states
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// PLAT-3, PLAT-2: every aggregate is event-sourced: after any commands its state in the shard is the fold of
    /// its events in the log, a shard that only reads the log has the same, and without events there is none.
    #[test]
    fn every_state_is_the_fold_of_its_events(turns in turns()) {
        let mut bench = Bench::new(true);
        for (number, (pause, stream, command)) in turns.into_iter().enumerate() {
            bench.pass(TimeDelta::milliseconds(pause));
            let home = match &command {
                AnyCommand::Task(TaskCommand::ClaimTasks(_)) => Stream::new(&tenant(), "queue", "default").unwrap(),
                _ => stream,
            };
            bench.answer(submission_of(&home, &format!("k-{number}"), command));
        }
        let folded = folded(&bench);
        for stream in aggregates().into_iter().flat_map(streams) {
            let held = bench.shard.streams().proven(&stream).map(|entry| (entry.version, &entry.state));
            let (_, version, state) = folded.get(&stream.to_string()).cloned().unwrap_or((stream, 0, None));
            prop_assert_eq!(held, state.as_ref().map(|state| (version, state)));
        }
        let (memory, revisions) = (Memory::default(), Arc::default());
        let settings = Settings { shard: 0, generation: 1, exclusive: false, memory, revisions };
        let mut reader = Shard::new(settings, Cursor::beginning(bench.core.genesis(), 0));
        let (records, _) = bench.core.read(&Cursor::beginning(bench.core.genesis(), 0), usize::MAX).unwrap();
        for record in records {
            reader.step(bench.now, Input::Counted(Box::new(record)));
        }
        prop_assert_eq!(reader.difference(&bench.shard), None);
    }
}
