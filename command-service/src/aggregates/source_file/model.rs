//! A file's life in examples, every transition, and random contents.

use proptest::prelude::*;
use schemas::problem::Code;
use schemas::source_file::{
    ChunkKind, IndexSourceFile, NewChunk, RegisterSourceFile, RemoveSourceFile, SourceFileCommand,
    SourceFileEvent, SourceFileIndexed, SourceFileRegistered, SourceFileRemoved,
};
use sha2::{Digest, Sha256};

use super::{Life, SourceFile};
use crate::aggregates::Aggregate;
use crate::aggregates::given::{Given, given};
use crate::aggregates::model::Model;
use crate::aggregates::properties::{endures, folds_are_equal, live, turns};
use crate::command::AnyCommand;

const REPOSITORY: &str = "8e88a6c9-40b0-87c7-a154-418b24b15ccd";

fn register(path: &str) -> RegisterSourceFile {
    RegisterSourceFile { repository_id: REPOSITORY.parse().unwrap(), path: path.into() }
}

/// A chunk on one line.
fn chunk(id: u8, text: &str, line: u32) -> NewChunk {
    NewChunk {
        id: format!("{id:032x}"),
        kind: ChunkKind::FunctionDef,
        name: Some(format!("f{id}")),
        scope: String::new(),
        signature: String::new(),
        text: text.into(),
        part: 0,
        start_line: line,
        end_line: line,
    }
}

/// A content of these chunks; its hash is of them alone.
fn content(chunks: Vec<NewChunk>) -> IndexSourceFile {
    let digest = Sha256::digest(serde_json::to_vec(&chunks).unwrap());
    IndexSourceFile {
        content_hash: digest.iter().map(|octet| format!("{octet:02x}")).collect(),
        chunker: "lines/1".into(),
        commit: None,
        language: Some("rust".into()),
        bytes: 10,
        lines: 9,
        chunks,
    }
}

fn registered() -> Given<SourceFile> {
    given::<SourceFile>(&[]).when(0, register("src/a.rs")).is("registered")
}

/// What an index of the file says.
fn change(file: &Given<SourceFile>, command: IndexSourceFile) -> SourceFileIndexed {
    match file.clone().when(1, command).decision.as_deref() {
        Ok([SourceFileEvent::SourceFileIndexed(indexed)]) => indexed.clone(),
        other => panic!("{other:?}"),
    }
}

/// KNOW-1, KNOW-7: a changed file costs only what changed in it.
#[test]
fn an_index_says_what_is_new_what_moved_and_what_is_gone() {
    let first = content(vec![chunk(1, "one", 1), chunk(2, "two", 2), chunk(3, "three", 3)]);
    let whole = change(&registered(), first.clone());
    assert_eq!((whole.upserted.len(), whole.moved.len(), whole.removed.len()), (3, 0, 0));
    assert_eq!((whole.path.as_str(), whole.repository_id.to_string().as_str()), ("src/a.rs", REPOSITORY));

    let file = registered().when(1, first.clone()).is("indexed");
    let next = change(&file, content(vec![chunk(1, "one", 1), chunk(2, "TWO!", 2), chunk(4, "four", 3)]));
    let ids = |chunks: &[schemas::source_file::Chunk]| {
        chunks.iter().map(|chunk| chunk.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&next.upserted), [format!("{:032x}", 2), format!("{:032x}", 4)]);
    assert_eq!((next.moved.len(), next.removed, next.chunks), (0, vec![format!("{:032x}", 3)], 3));

    let moved = change(&file, content(vec![chunk(1, "one", 1), chunk(2, "two", 4), chunk(3, "three", 5)]));
    assert_eq!((moved.upserted.len(), moved.moved.len(), moved.removed.len()), (0, 2, 0));
    file.clone().when(2, first.clone()).then("indexed", &[]);
    let again = change(&file, IndexSourceFile { chunker: "lines/2".into(), ..first });
    assert_eq!((again.upserted.len(), again.moved.len(), again.removed.len()), (0, 0, 0));
}

/// KNOW-1: a file that is gone takes its chunks along, and may come back.
#[test]
fn a_removed_file_names_its_chunks() {
    let file = registered().when(1, content(vec![chunk(1, "one", 1)])).is("indexed");
    let removed = SourceFileRemoved {
        repository_id: REPOSITORY.parse().unwrap(),
        path: "src/a.rs".into(),
        removed: vec![format!("{:032x}", 1)],
    };
    let file = file.when(2, RemoveSourceFile {}).then("removed", &[removed.into()]);
    let file = file.when(3, RemoveSourceFile {}).then("removed", &[]);
    assert_eq!(change(&file, content(vec![chunk(1, "one", 1)])).upserted.len(), 1);
    given::<SourceFile>(&[]).when(0, RemoveSourceFile {}).refused(Code::NotFound, "no source_file");
}

#[test]
fn a_file_is_registered_once_and_under_a_path_of_its_repository() {
    let RegisterSourceFile { repository_id, path } = register("src/a.rs");
    let event = SourceFileRegistered { repository_id, path }.into();
    let file = given::<SourceFile>(&[]).when(0, register("src/a.rs")).then("registered", &[event]);
    file.when(1, register("src/a.rs")).refused(Code::AlreadyExists, "exists already");
    let trick = given::<SourceFile>(&[]).when(0, register("a/../../etc/passwd"));
    trick.refused(Code::GuardRefused, "/path: a path is relative");
}

#[test]
fn chunks_that_cannot_be_are_refused_and_named() {
    let twice = content(vec![chunk(1, "one", 1), chunk(1, "two", 2)]);
    registered().when(1, twice).refused(Code::GuardRefused, "/chunks: chunks 0 and 1 have the same id");
    let outside = content(vec![chunk(1, "one", 10)]);
    registered().when(1, outside).refused(Code::GuardRefused, "lines 10 to 10 of a file of 9 lines");
    let backwards = content(vec![NewChunk { start_line: 3, ..chunk(1, "one", 2) }]);
    registered().when(1, backwards).refused(Code::GuardRefused, "lines 3 to 2");
}

fn commands() -> Vec<AnyCommand> {
    let commands: [SourceFileCommand; 6] = [
        register("src/a.rs").into(),
        content(vec![]).into(),
        content(vec![chunk(1, "one", 1), chunk(2, "two", 2)]).into(),
        content(vec![chunk(2, "two", 1), chunk(3, "three", 2)]).into(),
        content(vec![chunk(1, "one", 10)]).into(),
        RemoveSourceFile {}.into(),
    ];
    commands.into_iter().map(AnyCommand::SourceFile).collect()
}

fn model() -> Model<'static> {
    Model { aggregate: SourceFile::TYPE, commands: commands(), pauses: &[1], depth: 6, check: &|_| {} }
}

#[test]
fn every_transition_is_listed_and_every_listed_one_happens() {
    model().walk().agrees_with_the_table(SourceFile::TYPE);
}

/// Contents of a few chunks, each on a line of its own.
fn contents() -> impl Strategy<Value = IndexSourceFile> {
    let chunk = (0..6_u8, "[ab]{0,2}").prop_map(|(id, text)| (id, text));
    prop::collection::btree_map(0..6_u8, chunk.prop_map(|chunk| chunk.1), 0..6).prop_map(|chunks| {
        let chunks = (1..).zip(chunks).map(|(line, (id, text))| self::chunk(id, &text, line)).collect();
        content(chunks)
    })
}

/// Random contents among all commands.
pub(crate) fn random() -> impl Strategy<Value = AnyCommand> {
    prop_oneof![
        contents().prop_map(|content| AnyCommand::SourceFile(content.into())),
        prop::sample::select(commands()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// KNOW-7: whatever contents came before, the chunks of the state are those of the last one: an index in steps
    /// is the same as a whole one.
    #[test]
    fn an_index_in_steps_equals_a_whole_one(contents in prop::collection::vec(contents(), 1..8)) {
        let last = contents.last().unwrap().clone();
        let whole = registered().when(1, last.clone()).is("indexed");
        let steps = contents.into_iter().fold(registered(), |file, content| file.when(1, content).is("indexed"));
        let chunks = |file: Given<SourceFile>| match file.state.unwrap().life {
            Life::Indexed(indexed) => indexed.chunks,
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(chunks(steps), chunks(whole));
    }

    /// PLAT-2: a stored state goes on like the whole.
    #[test]
    fn a_random_life_keeps_the_rules(
        turns in turns(random()),
        cut in any::<usize>(),
    ) {
        folds_are_equal(SourceFile::TYPE, &live(SourceFile::TYPE, &turns), cut);
    }

    #[test]
    fn any_event_meets_any_state(order in prop::collection::vec(any::<prop::sample::Index>(), 1..20)) {
        endures(SourceFile::TYPE, &model().walk(), &order);
    }
}
