//! The shard by itself: no runtime, no log but the memory's core, time as the test says.

mod deadlines;
mod dispatch;
mod fold;
mod held;
mod owner;
mod repeats;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use event_log::memory::{BatchId, MemoryCore};
use event_log::{ClaimAttempt, Content, Cursor, FORMAT, Genesis};
use schemas::commit::{Actor, Commit};
use schemas::ids::{AggregateId, Route, Stream, Tenant};
use schemas::task::{ClaimTasks, CreateTask, TaskCommand};

use super::receipts::CommandKey;
use super::{AppendFailure, Asked, Claim, Input, Memory, Mode, Output, RequestId, Settings, Shard};
use crate::command::{Accepted, Answer, AnyCommand, Lease, Submission};
use crate::principal::Principal;

pub(super) fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

pub(super) fn stream(key: &str) -> Stream {
    let route = Route::of(&tenant(), "default");
    Stream::of(&tenant(), "task", AggregateId::derive(&tenant(), "task", route, key))
}

pub(super) fn submission(home: &Stream, key: &str, command: impl Into<TaskCommand>) -> Submission {
    submission_of(home, key, AnyCommand::Task(command.into()))
}

/// A command of any aggregate.
pub(super) fn submission_of(home: &Stream, key: &str, command: AnyCommand) -> Submission {
    let body = serde_json::to_vec(&(command.name(), &command)).unwrap();
    Submission {
        command,
        command_id: key.to_owned(),
        body_hash: super::receipts::body_hash(&body),
        home: home.clone(),
        principal: Principal { tenant: tenant(), actor: Actor { kind: "user".into(), id: "local".into() } },
        correlation: format!("chain-{key}"),
        causation: key.to_owned(),
        trace: None,
        expected: None,
        dry_run: false,
    }
}

/// A creation in queue `default`; `more` are further fields of its body.
pub(super) fn create_with(key: &str, more: serde_json::Value) -> Submission {
    let mut body = serde_json::json!({ "type": "inventory", "title": key });
    let serde_json::Value::Object(more) = more else { panic!("an object") };
    body.as_object_mut().unwrap().extend(more);
    let body: CreateTask = serde_json::from_value(body).unwrap();
    submission(&stream(key), key, body)
}

pub(super) fn create(key: &str) -> Submission {
    create_with(key, serde_json::json!({}))
}

pub(super) fn claim(key: &str, max: u32) -> Submission {
    let home = Stream::new(&tenant(), "queue", "default").unwrap();
    let worker = format!("worker-{key}");
    submission(&home, key, ClaimTasks { worker, queues: vec!["default".into()], max, wait: 0 })
}

/// A shard, its log, and time.
pub(super) struct Bench {
    pub(super) shard: Shard,
    pub(super) core: MemoryCore,
    pub(super) now: DateTime<Utc>,
    requests: RequestId,
    pub(super) answers: BTreeMap<RequestId, Answer>,
    /// The batch in flight.
    pub(super) batch: Option<BatchId>,
    pub(super) wake: Option<DateTime<Utc>>,
    pub(super) batches: Vec<usize>,
    nonce: u128,
}

impl Bench {
    /// A shard that owns a new log, locked or not.
    pub(super) fn new(exclusive: bool) -> Self {
        let log_id = uuid::Uuid::from_u128(1);
        let genesis = Genesis { log_id, deployment: "test".into(), generation: 1, shards: 1, format: FORMAT };
        Self::on(MemoryCore::new(genesis), exclusive)
    }

    /// A shard that owns an existing log.
    pub(super) fn on(core: MemoryCore, exclusive: bool) -> Self {
        let (memory, revisions) = (Memory::default(), Arc::default());
        let settings = Settings { shard: 0, generation: 1, exclusive, memory, revisions };
        let shard = Shard::new(settings, Cursor::beginning(core.genesis(), 0));
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let (answers, batches) = (BTreeMap::new(), Vec::new());
        let mut bench =
            Self { shard, core, now, requests: 0, answers, batch: None, wake: None, batches, nonce: 0 };
        bench.input(Input::Lead);
        bench
    }

    pub(super) fn input(&mut self, input: Input) {
        for output in self.shard.step(self.now, input) {
            match output {
                Output::Append(records) => {
                    assert!(self.batch.is_none(), "one batch in flight");
                    self.batches.push(records.len());
                    self.batch = Some(self.core.send(0, records));
                }
                Output::Answer(request, answer) => {
                    let twice = self.answers.insert(request, answer);
                    assert!(twice.is_none(), "{request} was answered twice");
                }
                Output::Claim { .. } => self.own(),
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Ready { .. } => {}
            }
        }
    }

    /// Claims at once.
    fn own(&mut self) {
        self.read();
        self.nonce += 1;
        let attempt = ClaimAttempt::new(self.shard.cursor(), self.nonce, "");
        let batch = self.core.send(0, vec![attempt.record()]);
        let offset = self.core.land(batch)[0];
        self.read();
        let cursor = *self.shard.cursor();
        let ownership = attempt.decide(offset, &cursor).unwrap();
        self.input(Input::Claimed(Box::new(Claim { ownership, cursor, last_at: None })));
        self.input(Input::Flush);
    }

    fn read(&mut self) {
        let (records, _) = self.core.read(self.shard.cursor(), usize::MAX).unwrap();
        for record in records {
            self.input(Input::Counted(Box::new(record)));
        }
    }

    /// Another process claims the shard and goes.
    pub(super) fn steal(&mut self) {
        let beginning = Cursor::beginning(self.core.genesis(), 0);
        let (_, cursor) = self.core.read(&beginning, usize::MAX).unwrap();
        let batch = self.core.send(0, vec![ClaimAttempt::new(&cursor, 0xBAD, "").record()]);
        self.core.land(batch);
    }

    /// Hands a command in; nothing is sent yet.
    pub(super) fn ask(&mut self, submission: Submission) -> RequestId {
        self.requests += 1;
        let (request, mode) = (self.requests, Mode::Execute);
        let expires = self.now + TimeDelta::seconds(10);
        let key = CommandKey::of(&submission.home, &submission.command_id);
        let asked = Asked { request, mode, key, submission: Box::new(submission), expires };
        self.input(Input::Command(asked));
        request
    }

    pub(super) fn flush(&mut self) {
        self.input(Input::Flush);
    }

    /// The batch in flight lands and is reported.
    pub(super) fn land(&mut self) {
        let batch = self.batch.take().expect("a batch in flight");
        let offsets = self.core.land(batch);
        self.input(Input::Appended(Ok(offsets)));
        self.flush();
    }

    /// The batch in flight is lost.
    pub(super) fn fail(&mut self, permanent: bool) {
        let batch = self.batch.take().expect("a batch in flight");
        self.core.lose(batch);
        self.input(Input::Appended(Err(AppendFailure { permanent, detail: "test".into() })));
        self.flush();
    }

    /// Runs until nothing is under way.
    pub(super) fn settle(&mut self) {
        self.flush();
        while !self.shard.is_idle() {
            match self.batch {
                Some(_) => self.land(),
                None => self.pass(TimeDelta::milliseconds(50)),
            }
        }
    }

    pub(super) fn pass(&mut self, time: TimeDelta) {
        self.now += time;
        self.flush();
    }

    /// Asks and settles.
    pub(super) fn answer(&mut self, submission: Submission) -> Answer {
        let request = self.ask(submission);
        self.settle();
        self.answers[&request].clone()
    }

    pub(super) fn done(&mut self, submission: Submission) -> Accepted {
        match self.answer(submission) {
            Answer::Accepted(accepted) => *accepted,
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub(super) fn lease(&mut self, key: &str) -> Lease {
        let accepted = self.done(claim(key, 1));
        accepted.leases.into_iter().next().expect("a lease")
    }

    /// Every commit that counts.
    pub(super) fn commits(&self) -> Vec<std::sync::Arc<Commit>> {
        let beginning = Cursor::beginning(self.core.genesis(), 0);
        let (records, _) = self.core.read(&beginning, usize::MAX).unwrap();
        let commit = |record: event_log::Counted| match record.content {
            Content::Commit(commit) => Some(commit),
            _ => None,
        };
        records.into_iter().filter_map(commit).collect()
    }
}
