//! Time, nodes, the log and everything between them that can go wrong.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use command_service::command::Answer;
use command_service::shard::{AppendFailure, Asked, Claim, Input, Mode, Output, Status};
use event_log::memory::{BatchId, MemoryCore};
use event_log::{ClaimAttempt, ClaimError, Content, Counted, FORMAT, Genesis, Record};
use uuid::Uuid;

use super::chance::Chance;
use super::client::Clients;
use super::history::History;
use super::node::Node;

/// Would-be owners.
pub(crate) const NODES: usize = 2;
/// A command that the log refuses, whatever batch it is in, has this in its body.
pub(crate) const POISON: &[u8] = b"poison";
/// How long a node waits for a report.
const REPORT_TIMEOUT: u64 = 400;

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client acts.
    Turn {
        client: usize,
    },
    /// A client tries again.
    Retry {
        operation: usize,
    },
    /// A try arrives.
    Arrive {
        node: usize,
        attempt: usize,
    },
    /// An answer arrives, or never will.
    Heard {
        attempt: usize,
        answer: Option<Answer>,
    },
    /// A batch in flight lands.
    Land {
        batch: BatchId,
    },
    /// A node hears of its batch.
    Report {
        node: usize,
        life: u32,
        report: Result<Vec<u64>, AppendFailure>,
    },
    /// A node begins to claim; a later one replaces it.
    Claim {
        node: usize,
        life: u32,
        number: u32,
    },
    /// A node hears of its claim.
    Claimed {
        node: usize,
        life: u32,
        number: u32,
        attempt: ClaimAttempt,
        offset: Option<u64>,
    },
    /// A node's inbox is empty.
    Flush {
        node: usize,
        life: u32,
    },
    /// A node's timer rings; a later one replaces it.
    Wake {
        node: usize,
        life: u32,
        at: u64,
    },
    /// A fault, or the end of one.
    Disturb,
    Boot {
        node: usize,
    },
}

/// How rough the run is, in percent of the occasions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// A batch does not land and report as it should.
    pub(crate) batches: u64,
    /// A message between client and node is lost, doubled or late.
    pub(crate) messages: u64,
    /// A node crashes, pauses, or takes the shard from the other.
    pub(crate) nodes: u64,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) now: u64,
    pub(crate) weather: Weather,
    agenda: BTreeMap<(u64, u64), Event>,
    planned: u64,
    pub(crate) core: MemoryCore,
    pub(crate) nodes: Vec<Node>,
    pub(crate) history: History,
    pub(crate) clients: Clients,
    /// Virtual time at which each record landed.
    pub(crate) landed: Vec<u64>,
    /// FNV-1a over everything that happened.
    pub(crate) trace: u64,
    pub(crate) calm: bool,
    shown: bool,
    /// Follows the log for the time of its last commit.
    follower: (event_log::Cursor, Option<DateTime<Utc>>),
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let log_id = Uuid::from_u128(7);
        let genesis =
            Genesis { log_id, deployment: "simulation".into(), generation: 1, shards: 1, format: FORMAT };
        let weather = Weather {
            batches: *chance.pick(&[0, 5, 15, 40]).unwrap(),
            messages: *chance.pick(&[0, 10, 30]).unwrap(),
            nodes: *chance.pick(&[0, 20, 60]).unwrap(),
        };
        // A lock on the log and a second would-be owner exclude each other.
        let exclusive = weather.nodes == 0 && chance.percent(50);
        let nodes = (0..NODES).map(|_| Node::down(exclusive)).collect();
        let (agenda, history, clients) = (BTreeMap::new(), History::default(), Clients::default());
        let core = MemoryCore::new(genesis);
        let follower = (event_log::Cursor::beginning(core.genesis(), 0), None);
        let (landed, trace) = (vec![0], 0xcbf2_9ce4_8422_2325);
        Self {
            chance,
            now: 0,
            weather,
            agenda,
            planned: 0,
            core,
            nodes,
            history,
            clients,
            landed,
            trace,
            calm: false,
            shown: std::env::var_os("GESTA_TRACE").is_some(),
            follower,
        }
    }

    pub(crate) fn plan(&mut self, delay: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + delay, self.planned), event);
    }

    /// Runs until virtual time `end`, or until `done`.
    pub(crate) fn run(&mut self, end: u64, done: impl Fn(&Self) -> bool) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > end || done(self) {
                break;
            }
            let Some(((at, planned), event)) = self.agenda.pop_first() else { break };
            self.now = at;
            self.note(&event, [planned, self.core.end(0), 0]);
            self.happen(event);
            while (self.landed.len() as u64) < self.core.end(0) {
                self.landed.push(self.now);
            }
        }
        self.now = self.now.max(end.min(self.now + 1));
    }

    /// Mixes what happened into the trace; shows it if asked.
    fn note(&mut self, what: &dyn std::fmt::Debug, marks: [u64; 3]) {
        for mark in [self.now, self.planned].into_iter().chain(marks) {
            self.trace = (self.trace ^ mark).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
        if self.shown {
            println!("{} {what:?}", self.now);
        }
    }

    fn happen(&mut self, event: Event) {
        let node = match &event {
            Event::Arrive { node, .. }
            | Event::Report { node, .. }
            | Event::Claim { node, .. }
            | Event::Claimed { node, .. }
            | Event::Flush { node, .. }
            | Event::Wake { node, .. } => Some(*node),
            _ => None,
        };
        if let Some(paused) = node.map(|node| self.nodes[node].paused_until).filter(|until| *until > self.now)
        {
            let delay = paused - self.now;
            return self.plan(delay, event);
        }
        match event {
            Event::Turn { client } => self.turn(client),
            Event::Retry { operation } => self.send(operation),
            Event::Arrive { node, attempt } => self.arrive(node, attempt),
            Event::Heard { attempt, answer } => self.heard(attempt, answer),
            Event::Land { batch } => drop(self.core.land(batch)),
            Event::Report { node, life, report } if self.nodes[node].life == life => {
                self.input(node, Input::Appended(report));
                self.input(node, Input::Flush);
            }
            Event::Claim { node, life, number } if self.is_current(node, life, number) => self.claim(node),
            Event::Claimed { node, life, number, attempt, offset } if self.is_current(node, life, number) => {
                self.claimed(node, &attempt, offset);
            }
            Event::Wake { node, life, at }
                if self.nodes[node].life == life && self.nodes[node].wake == Some(at) =>
            {
                self.nodes[node].wake = None;
                self.input(node, Input::Flush);
            }
            Event::Flush { node, life } if self.nodes[node].life == life => {
                self.nodes[node].flush_planned = false;
                self.input(node, Input::Flush);
            }
            Event::Disturb => self.disturb(),
            Event::Boot { node } => self.boot(node),
            // Meant for an earlier life of the node.
            Event::Report { .. }
            | Event::Claim { .. }
            | Event::Claimed { .. }
            | Event::Flush { .. }
            | Event::Wake { .. } => {}
        }
    }

    pub(crate) fn boot(&mut self, node: usize) {
        if self.nodes[node].shard.is_none() {
            self.nodes[node].boot(self.now, &self.core);
        }
        let end = self.core.end(0);
        let outputs = self.nodes[node].read(self.now, &self.core, end);
        self.obey(node, outputs);
        self.input(node, Input::Lead);
    }

    fn arrive(&mut self, node: usize, attempt: usize) {
        if self.nodes[node].shard.is_none() {
            return;
        }
        let now = self.now;
        let at = self.nodes[node].at(now);
        let operation = self.history.attempts[attempt].operation;
        let submission = Box::new(self.history.operations[operation].submission.clone());
        let expires = at + chrono::TimeDelta::seconds(3);
        let request = attempt as u64;
        let mode = Mode::Execute;
        self.input(node, Input::Command(Asked { request, mode, submission, expires }));
        if let Some(shard) = &self.nodes[node].shard {
            self.history.attempts[attempt].taken_at.get_or_insert(shard.now());
        }
        if !self.nodes[node].flush_planned {
            self.nodes[node].flush_planned = true;
            let (delay, life) = (self.chance.below(3), self.nodes[node].life);
            self.plan(delay, Event::Flush { node, life });
        }
    }

    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let outputs = self.nodes[node].step(self.now, input);
        self.obey(node, outputs);
    }

    fn obey(&mut self, node: usize, outputs: Vec<Output>) {
        let life = self.nodes[node].life;
        for output in outputs {
            match output {
                Output::Append(records) => self.append(node, records),
                Output::Answer(request, answer) => self.answer(node, request, answer),
                Output::Claim { failures } => {
                    let delay = if failures == 0 { 1 } else { self.chance.within(100, 1_000) };
                    self.nodes[node].claims += 1;
                    let number = self.nodes[node].claims;
                    self.plan(delay, Event::Claim { node, life, number });
                }
                Output::WakeAt(at) => {
                    let wait = (at - self.nodes[node].at(self.now)).num_milliseconds().max(1);
                    let at = self.now + u64::try_from(wait).unwrap();
                    if self.nodes[node].wake.is_none_or(|planned| at < planned) {
                        self.nodes[node].wake = Some(at);
                        self.plan(at - self.now, Event::Wake { node, life, at });
                    }
                }
                Output::Ready { .. } => {}
            }
        }
    }

    fn answer(&mut self, node: usize, request: u64, answer: Answer) {
        let kind = match &answer {
            Answer::Accepted(accepted) => accepted.version + 10,
            Answer::Refused(refusal) => refusal.code() as u64 + 1_000,
            Answer::Failed { code, .. } => *code as u64 + 2_000,
            Answer::Unknown => 3_000,
        };
        self.note(&(request, &answer), [request, kind, node as u64]);
        let attempt = usize::try_from(request).unwrap();
        let shard_now = self.nodes[node].shard.as_ref().unwrap().now();
        let first = &mut self.history.attempts[attempt].answered;
        first.get_or_insert((self.now, shard_now, answer.clone()));
        if !(self.rough(self.weather.messages) && self.chance.percent(50)) {
            let delay = self.chance.within(1, 20);
            self.plan(delay, Event::Heard { attempt, answer: Some(answer) });
        }
    }

    /// True in `percent` of the occasions, while the weather lasts.
    pub(crate) fn rough(&mut self, percent: u64) -> bool {
        !self.calm && self.chance.percent(percent)
    }

    /// Sends a batch into weather.
    fn append(&mut self, node: usize, records: Vec<Record>) {
        let life = self.nodes[node].life;
        let poison = records.iter().any(|r| r.value.windows(POISON.len()).any(|part| part == POISON));
        if poison {
            let report = Err(AppendFailure { permanent: true, detail: "poison".into() });
            return self.plan(3, Event::Report { node, life, report });
        }
        let count = records.len();
        let batch = self.core.send(0, records);
        let delay = self.chance.within(1, 15);
        let report = if self.rough(self.weather.batches) {
            self.mishap(batch, count)
        } else {
            // Its offsets are those of the moment at which it lands, so land it now; the report travels.
            Ok(self.core.land(batch))
        };
        let delay = if report.is_ok() { delay } else { REPORT_TIMEOUT };
        let report = report.map_err(|()| AppendFailure { permanent: false, detail: "timeout".into() });
        self.plan(delay, Event::Report { node, life, report });
    }

    /// One of the ways in which a batch goes astray.
    fn mishap(&mut self, batch: BatchId, count: usize) -> Result<Vec<u64>, ()> {
        let late = self.chance.within(1, 3 * REPORT_TIMEOUT);
        match self.chance.below(7) {
            0 => {
                self.core.lose(batch);
                Err(())
            }
            1 => {
                self.core.land(batch);
                Err(())
            }
            2 => {
                self.plan(late, Event::Land { batch });
                Err(())
            }
            3 => {
                let offsets = self.core.land_copy(batch);
                self.plan(late, Event::Land { batch });
                Ok(offsets)
            }
            4 => {
                self.core.land_copy(batch);
                Ok(self.core.land(batch))
            }
            5 => {
                let part = usize::try_from(self.chance.below(count as u64 + 1)).unwrap();
                let order: Vec<usize> = (0..part).collect();
                Ok(self.core.land_some(batch, &order))
            }
            _ => {
                let order: Vec<usize> = (0..count).rev().collect();
                let mut offsets = self.core.land_some(batch, &order);
                offsets.reverse();
                Ok(offsets)
            }
        }
    }

    fn claim(&mut self, node: usize) {
        let nonce = self.chance.next();
        let Some(attempt) = self.nodes[node].attempt(nonce, &self.core) else { return };
        let (life, number) = (self.nodes[node].life, self.nodes[node].claims);
        let batch = self.core.send(0, vec![attempt.record()]);
        let delay = self.chance.within(1, 30);
        let report =
            if self.rough(self.weather.batches) { self.mishap(batch, 1) } else { Ok(self.core.land(batch)) };
        let offset = report.ok().and_then(|offsets| offsets.first().copied());
        self.plan(delay, Event::Claimed { node, life, number, attempt, offset });
    }

    fn claimed(&mut self, node: usize, attempt: &ClaimAttempt, offset: Option<u64>) {
        let Some(offset) = offset else {
            return self.input(node, Input::NotClaimed);
        };
        let outputs = self.nodes[node].read(self.now, &self.core, offset + 1);
        self.obey(node, outputs);
        let Some(shard) = &self.nodes[node].shard else { return };
        match attempt.decide(offset, shard.cursor()) {
            Ok(ownership) => {
                let cursor = *shard.cursor();
                let last_at = self.last_at();
                self.nodes[node].claimed(self.now, last_at);
                self.input(node, Input::Claimed(Box::new(Claim { ownership, cursor, last_at })));
                self.input(node, Input::Flush);
            }
            Err(ClaimError::Lost { .. }) => self.input(node, Input::NotClaimed),
            Err(error) => panic!("the log lost nothing, and yet: {error}"),
        }
    }

    /// Time of the last commit that counts.
    fn last_at(&mut self) -> Option<DateTime<Utc>> {
        let (cursor, last) = &mut self.follower;
        let (records, after) = self.core.read(cursor, usize::MAX).expect("nothing truncates the log");
        let at = |record: &Counted| match &record.content {
            Content::Commit(commit) => Some(commit.at),
            _ => None,
        };
        (*cursor, *last) = (after, records.iter().rev().find_map(at).or(*last));
        *last
    }

    /// Whether a claim is the one that its node waits for.
    fn is_current(&self, node: usize, life: u32, number: u32) -> bool {
        let node = &self.nodes[node];
        let waits = node.shard.as_ref().is_some_and(|shard| shard.status() == Status::Claiming);
        waits && (node.life, node.claims) == (life, number)
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.nodes[0].exclusive
    }

    /// A node crashes, stops for a while, sets its clock, or takes the shard.
    fn disturb(&mut self) {
        if self.calm {
            return;
        }
        let delay = self.chance.within(100, 1_500);
        self.plan(delay, Event::Disturb);
        if !self.chance.percent(self.weather.nodes) {
            return;
        }
        let node = usize::try_from(self.chance.below(NODES as u64)).unwrap();
        match self.chance.below(4) {
            0 => {
                self.nodes[node].crash();
                let delay = self.chance.within(10, 2_000);
                self.plan(delay, Event::Boot { node });
            }
            1 => self.nodes[node].paused_until = self.now + self.chance.within(50, 3_000),
            2 => {
                let minutes = i64::try_from(self.chance.below(121)).unwrap() - 60;
                self.nodes[node].skew = chrono::TimeDelta::minutes(minutes);
            }
            _ => {
                self.input(node, Input::Revoke);
                let delay = self.chance.within(10, 1_000);
                self.plan(delay, Event::Boot { node });
            }
        }
    }
}
