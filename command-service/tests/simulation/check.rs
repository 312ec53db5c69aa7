//! What must hold after a run, judged from the clients' history and the log alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use command_service::aggregates::registry::{self, AnyEvent, State};
use command_service::aggregates::{Context, Refusal};
use command_service::command::{Accepted, Answer, AnyCommand, Expected, Submission};
use command_service::shard::receipts::body_number;
use command_service::shard::{Input, Memory, Output, Settings, Shard};
use event_log::{Content, Counted, Cursor};
use schemas::commit::Commit;
use schemas::ids::Stream;
use schemas::task::TaskCommand;

use super::faults::Seen;
use super::history::Attempt;
use super::world::World;
use crate::support::releases::{ASSIGNED, READS, writing};

/// The log as it counts.
struct Truth {
    commits: BTreeMap<u64, Arc<Commit>>,
    /// (home, command id) → offset.
    commands: HashMap<(Stream, String), u64>,
    /// Per stream: offset, version and state after each commit that touches it.
    states: HashMap<Stream, Vec<(u64, u64, Option<State>)>>,
}

impl Truth {
    fn read(world: &World) -> (Self, Vec<Counted>) {
        let beginning = Cursor::beginning(world.core.genesis(), 0);
        let (records, _) = world.core.read(&beginning, usize::MAX).expect("a whole log");
        let mut truth = Self { commits: BTreeMap::new(), commands: HashMap::new(), states: HashMap::new() };
        let mut last = DateTime::<Utc>::MIN_UTC;
        for record in &records {
            if let Content::Commit(commit) = &record.content {
                assert!(commit.at >= last, "time goes back at offset {}", record.offset);
                last = commit.at;
                truth.take(record.offset, commit);
            }
        }
        (truth, records)
    }

    fn take(&mut self, offset: u64, commit: &Arc<Commit>) {
        let id = (commit.home.clone(), commit.command.id.clone());
        let earlier = self.commands.insert(id, offset);
        assert!(earlier.is_none(), "{} took effect at {earlier:?} and at {offset}", commit.command.id);
        for event in &commit.events {
            let states = self.states.entry(event.stream.clone()).or_default();
            let (version, state) = states.last().map_or((0, None), |(_, v, state)| (*v, state.clone()));
            assert_eq!(event.version, version + 1, "{} has a gap", event.stream);
            let assigned = event.kind == ASSIGNED;
            assert!(!(assigned && is_leased(state.as_ref())), "{} is leased twice at {offset}", event.stream);
            let state = registry::evolve(state, &AnyEvent::decode(READS, event).expect("a known event"));
            states.push((offset, event.version, state));
        }
        self.commits.insert(offset, Arc::clone(commit));
    }

    /// Version and state of a stream after the records below `end`.
    fn before(&self, stream: &Stream, end: u64) -> (u64, Option<&State>) {
        let states = self.states.get(stream).map_or(&[][..], Vec::as_slice);
        let after = states.partition_point(|(offset, ..)| *offset < end);
        after.checked_sub(1).map_or((0, None), |last| (states[last].1, states[last].2.as_ref()))
    }

    /// Every end of the log in `from..=to` at which the stream has another state.
    fn ends(&self, stream: &Stream, from: u64, to: u64) -> BTreeSet<u64> {
        let states = self.states.get(stream).map_or(&[][..], Vec::as_slice);
        let inside = states.iter().map(|(offset, ..)| offset + 1).filter(|end| (from..=to).contains(end));
        inside.chain([from]).collect()
    }
}

fn is_leased(state: Option<&State>) -> bool {
    matches!(state, Some(State::Task(task)) if task.lease_view().is_some())
}

/// Every check.
pub(crate) fn all(world: &World) {
    let (truth, records) = Truth::read(world);
    for (index, operation) in world.history.operations.iter().enumerate() {
        assert!(operation.settled.is_some(), "operation {index} of client {} never ended", operation.client);
    }
    for attempt in &world.history.attempts {
        check_attempt(world, &truth, attempt);
    }
    check_failures(world, &truth);
    check_owner(world, &truth, records);
}

fn check_attempt(world: &World, truth: &Truth, attempt: &Attempt) {
    let submission = &world.history.operations[attempt.operation].submission;
    let Some((answered, at, answer)) = &attempt.answered else { return };
    match answer {
        Answer::Accepted(accepted) if !accepted.events.is_empty() => {
            check_effect(truth, submission, accepted);
        }
        Answer::Accepted(accepted) => check_renewal(world, truth, attempt, accepted),
        Answer::Refused(refusal) => {
            // Records that had landed when the command was sent, and when the answer left.
            let end = |time: u64| world.landed.partition_point(|landed| *landed <= time) as u64;
            let (from, to) = (end(attempt.sent.saturating_sub(1)), end(*answered));
            let times = [attempt.taken_at.unwrap_or(*at), *at];
            let held = refusal_held(truth, submission, refusal, (from, to), times);
            assert!(held, "{submission:?} was refused falsely: {refusal:?} (records {from} to {to})");
        }
        Answer::Failed { .. } | Answer::Unknown => {}
    }
}

/// Acknowledged ⇒ counts once, with the events and at the place that the answer names.
fn check_effect(truth: &Truth, submission: &Submission, accepted: &Accepted) {
    let id = (submission.home.clone(), submission.command_id.clone());
    let offset = truth.commands.get(&id).unwrap_or_else(|| panic!("acknowledged and lost: {accepted:?}"));
    let commit = &truth.commits[offset];
    let written: Vec<_> = commit.events.iter().map(schemas::commit::EventRecord::id).collect();
    let told: Vec<_> = accepted.events.iter().map(|event| event.id).collect();
    assert_eq!(told, written, "{accepted:?}");
    assert_eq!(accepted.position.marks.get(&0), Some(offset), "{accepted:?}");
    assert_eq!(commit.command.body_hash, submission.body_hash, "another body was acknowledged");
}

/// A renewal without an event named an end that stood in the log.
fn check_renewal(world: &World, truth: &Truth, attempt: &Attempt, accepted: &Accepted) {
    let submission = &world.history.operations[attempt.operation].submission;
    let Some(until) = accepted.runs_until else { return };
    let AnyCommand::Task(TaskCommand::RenewLease(_)) = &submission.command else { return };
    let states = &truth.states[&submission.home];
    let stood = states
        .iter()
        .any(|(.., state)| matches!(state, Some(State::Task(task)) if task.lease_until() == Some(until)));
    assert!(stood, "no event says {until}: {accepted:?}; {} of {}", attempt.sent, world.now);
}

fn refusal_held(
    truth: &Truth,
    submission: &Submission,
    refusal: &Refusal,
    (from, to): (u64, u64),
    times: [DateTime<Utc>; 2],
) -> bool {
    let id = (submission.home.clone(), submission.command_id.clone());
    let known = truth.commands.get(&id).filter(|offset| **offset < to);
    if let Some(commit) = known.map(|offset| &truth.commits[offset]) {
        let same = body_number(&commit.command.body_hash) == body_number(&submission.body_hash);
        if *refusal == Refusal::KeyReused && !same {
            return true;
        }
        let recorded =
            commit.events.iter().filter_map(|event| AnyEvent::decode(READS, event).ok()?.refusal());
        if same && recorded.into_iter().any(|recorded| recorded == *refusal) {
            return true;
        }
    }
    let ends = truth.ends(&submission.home, from, to);
    ends.into_iter().any(|end| {
        let (version, state) = truth.before(&submission.home, end);
        times.iter().any(|at| decides(submission, version, state, *at).as_ref() == Err(refusal))
    })
}

/// What the command meets in one state at one time.
fn decides(
    submission: &Submission,
    version: u64,
    state: Option<&State>,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    match submission.expected {
        Some(Expected::IfMatch(expected)) if expected != version => {
            return Err(Refusal::PreconditionFailed { expected, actual: version });
        }
        Some(Expected::Body(expected)) if expected != version => {
            return Err(Refusal::VersionConflict { expected, actual: version });
        }
        _ => {}
    }
    let context = Context { stream: &submission.home, actor: "user/local", at };
    registry::decide(state, &submission.command, context).map(drop)
}

/// Failed or refused, at the only try ⇒ not in the log, unless it is the recorded refusal.
fn check_failures(world: &World, truth: &Truth) {
    let id = |submission: &Submission| (submission.home.clone(), submission.command_id.clone());
    let mut users: HashMap<_, u32> = HashMap::new();
    for operation in &world.history.operations {
        *users.entry(id(&operation.submission)).or_default() += operation.tries;
    }
    for attempt in &world.history.attempts {
        let submission = &world.history.operations[attempt.operation].submission;
        let failed = matches!(&attempt.answered, Some((_, _, Answer::Failed { .. } | Answer::Refused(_))));
        if !failed || users[&id(submission)] > 1 {
            continue;
        }
        if let Some(commit) = truth.commands.get(&id(submission)).map(|offset| &truth.commits[offset]) {
            let recorded = commit.events.iter().all(|e| e.kind == "gesta.work.task.stale_token_refused.v1");
            assert!(recorded, "failed, and yet it counts: {submission:?}");
        }
    }
}

/// The owner's memory is what a fresh replay of the log makes.
fn check_owner(world: &World, truth: &Truth, records: Vec<Counted>) {
    let Some(owner) = world.nodes[0].shard.as_ref() else { panic!("the first node is down") };
    assert!(world.nodes[0].is_owner(), "nobody owns the shard: {:?}", owner.status());
    let (memory, revisions) = (Memory::default(), Arc::new(writing(1)));
    let settings = Settings { shard: 0, generation: 1, exclusive: false, memory, revisions };
    let mut fresh = Shard::new(settings, Cursor::beginning(world.core.genesis(), 0));
    let end = owner.cursor().next_offset;
    for record in records.into_iter().filter(|record| record.offset < end) {
        let out = fresh.step(DateTime::UNIX_EPOCH, Input::Counted(Box::new(record)));
        assert!(out.iter().all(|output| matches!(output, Output::Ready { .. })), "{out:?}");
    }
    assert_eq!(fresh.take_counts().claim_conflicts, 0, "two live leases of one task");
    let Some(disk) = &world.nodes[0].disk else {
        return assert_eq!(fresh.difference(owner), None);
    };
    for stream in truth.states.keys() {
        let theirs = owner.streams().proven(stream).or_else(|| disk.stream(stream));
        assert_eq!(theirs, fresh.streams().proven(stream), "{stream} in memory or store");
    }
}

/// What happened in a run, to show that the runs are worth something.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) epochs: u64,
    pub(crate) void: u64,
    pub(crate) replayed: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    pub(crate) leases: u64,
    pub(crate) expiries: u64,
    pub(crate) stale: u64,
    pub(crate) reused: u64,
    pub(crate) poisoned: u64,
    pub(crate) lost_claims: u64,
    pub(crate) same_epoch: u64,
    pub(crate) races: u64,
    pub(crate) stopped: u64,
    /// Leases in the newer revision of their event.
    pub(crate) newer: u64,
}

impl Met {
    pub(crate) fn add(&mut self, other: &Self) {
        self.epochs += other.epochs;
        self.void += other.void;
        self.replayed += other.replayed;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.leases += other.leases;
        self.expiries += other.expiries;
        self.stale += other.stale;
        self.reused += other.reused;
        self.poisoned += other.poisoned;
        self.lost_claims += other.lost_claims;
        self.same_epoch += other.same_epoch;
        self.races += other.races;
        self.stopped += other.stopped;
        self.newer += other.newer;
    }

    pub(crate) fn all(&self) -> bool {
        let log = [self.epochs, self.void, self.lost_claims, self.same_epoch, self.races, self.stopped];
        let answers = [self.replayed, self.refused, self.unknown, self.stale, self.reused, self.poisoned];
        let tasks = [self.leases, self.expiries, self.newer];
        log.iter().chain(&answers).chain(&tasks).all(|n| *n > 0)
    }
}

pub(crate) fn met(world: &World) -> Met {
    let (truth, records) = Truth::read(world);
    let answers = || world.history.attempts.iter().filter_map(|a| a.answered.as_ref().map(|a| &a.2));
    let count = |wanted: fn(&Answer) -> bool| answers().filter(|answer| wanted(answer)).count() as u64;
    let events = || truth.commits.values().flat_map(|commit| &commit.events);
    let kinds = |wanted: &str| events().filter(|event| event.kind == wanted).count() as u64;
    let Seen { lost_claims, same_epoch, races, stopped } = world.seen;
    Met {
        lost_claims,
        same_epoch,
        races,
        stopped,
        epochs: records.last().map_or(0, |record| record.cursor.epoch),
        void: world.core.end(0) - records.len() as u64,
        replayed: count(|a| matches!(a, Answer::Accepted(a) if a.replayed)),
        refused: count(|a| matches!(a, Answer::Refused(_))),
        unknown: world.history.attempts.iter().filter(|a| a.answered.is_none()).count() as u64,
        leases: kinds(ASSIGNED),
        newer: events().filter(|event| event.kind == ASSIGNED && event.v == 2).count() as u64,
        expiries: kinds("gesta.work.task.lease_expired.v1"),
        stale: kinds("gesta.work.task.stale_token_refused.v1"),
        reused: count(|a| matches!(a, Answer::Refused(Refusal::KeyReused))),
        poisoned: count(|a| matches!(a, Answer::Failed { detail, .. } if detail.contains("poison"))),
    }
}
