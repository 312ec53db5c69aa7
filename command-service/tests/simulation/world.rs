//! Time, nodes, the log and everything between them that can go wrong.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use command_service::command::Answer;
use command_service::shard::receipts::CommandKey;
use command_service::shard::{AppendFailure, Asked, Input, Mode, Output};
use event_log::memory::{BatchId, MemoryCore};
use event_log::{ClaimAttempt, Cursor, FORMAT, Genesis};
use uuid::Uuid;

use super::chance::Chance;
use super::client::Clients;
use super::disk::Disk;
use super::faults::{Lost, Seen, Weather};
use super::history::History;
use super::network::Sender;
use super::node::Node;
use crate::support::releases::writing;

/// Would-be owners.
pub(crate) const NODES: usize = 2;

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
        /// Nonce of its records.
        nonce: u128,
        sender: Option<Sender>,
    },
    /// The log loses a claim that it has confirmed, if nothing came after it.
    LoseClaim {
        offset: u64,
        claim: ClaimAttempt,
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
        /// Up to where the log was read before the claim was sent.
        basis: Cursor,
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
    /// Somebody looks after a node that damage stopped.
    Repair {
        node: usize,
        life: u32,
    },
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
    /// Follows the log: its end, and the time of its last commit.
    pub(crate) follower: (Cursor, Option<DateTime<Utc>>),
    /// Claims that the log confirmed and lost.
    pub(crate) lost: Vec<Lost>,
    pub(crate) seen: Seen,
}

impl World {
    /// The run of a seed; in the weather that the seed makes, unless another one is given.
    pub(crate) fn new(seed: u64, weather: Option<Weather>) -> Self {
        let mut chance = Chance::of(seed);
        let weather = weather.unwrap_or_else(|| Weather::of(&mut chance));
        let log_id = Uuid::from_u128(7);
        let genesis =
            Genesis { log_id, deployment: "simulation".into(), generation: 1, shards: 1, format: FORMAT };
        // A lock on the log and a second would-be owner exclude each other.
        let exclusive = weather.nodes == 0 && chance.percent(50);
        let mut nodes = vec![Node::down(exclusive, writing(2)), Node::down(exclusive, writing(1))];
        for node in &mut nodes {
            node.disk = chance.percent(50).then(Disk::default);
        }
        let (agenda, history, clients) = (BTreeMap::new(), History::default(), Clients::default());
        let core = MemoryCore::new(genesis);
        let follower = (Cursor::beginning(core.genesis(), 0), None);
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
            lost: Vec::new(),
            seen: Seen::default(),
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
    #[expect(clippy::print_stdout, reason = "a traced run is for a person to read")]
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
            Event::Land { batch, nonce, sender } => self.land(batch, nonce, sender),
            Event::LoseClaim { offset, claim } => self.lose_claim(offset, &claim),
            Event::Report { node, life, report } if self.nodes[node].life == life => {
                self.input(node, Input::Appended(report));
                self.input(node, Input::Flush);
            }
            Event::Claim { node, life, number } if self.is_current(node, life, number) => self.claim(node),
            Event::Claimed { node, life, number, attempt, basis, offset }
                if self.is_current(node, life, number) =>
            {
                self.claimed(node, &attempt, basis, offset);
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
                if self.chance.percent(20) {
                    let (written, told) = (self.chance.percent(80), self.chance.percent(90));
                    self.nodes[node].save(written, told);
                }
            }
            Event::Disturb => self.disturb(),
            Event::Boot { node } => self.boot(node),
            Event::Repair { node, life } if self.nodes[node].life == life => self.repair(node),
            // Meant for an earlier life of the node.
            Event::Report { .. }
            | Event::Claim { .. }
            | Event::Claimed { .. }
            | Event::Flush { .. }
            | Event::Repair { .. }
            | Event::Wake { .. } => {}
        }
    }

    pub(crate) fn boot(&mut self, node: usize) {
        if self.nodes[node].shard.is_none() {
            self.nodes[node].boot(self.now, &self.core);
        }
        // While a claim is under way nobody reads on past it.
        if !self.nodes[node].is_claiming() {
            self.read(node, self.core.end(0));
        }
        self.input(node, Input::Lead);
    }

    /// A node reads the log up to offset `end`.
    pub(crate) fn read(&mut self, node: usize, end: u64) {
        let outputs = self.nodes[node].read(self.now, &self.core, end);
        self.obey(node, outputs);
    }

    fn arrive(&mut self, node: usize, attempt: usize) {
        if self.nodes[node].shard.is_none() {
            return;
        }
        let now = self.now;
        let at = self.nodes[node].at(now);
        let operation = self.history.attempts[attempt].operation;
        let submission = Box::new(self.history.operations[operation].submission.clone());
        let key = CommandKey::of(&submission.home, &submission.command_id);
        let expires = at + chrono::TimeDelta::seconds(3);
        let request = attempt as u64;
        let mode = Mode::Execute;
        self.input(node, Input::Command(Asked { request, mode, key, submission, expires }));
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

    pub(crate) fn obey(&mut self, node: usize, outputs: Vec<Output>) {
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
        self.tend(node);
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

    /// Whether a claim is the one that its node waits for.
    fn is_current(&self, node: usize, life: u32, number: u32) -> bool {
        let node = &self.nodes[node];
        node.is_claiming() && (node.life, node.claims) == (life, number)
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.nodes[0].exclusive
    }
}
