//! Building answers.

use schemas::ids::Stream;
use schemas::position::Token;

use super::Shard;
use super::pending::{Pending, answers};
use super::receipts::{Outcome, Receipt};
use crate::aggregates::registry::State;
use crate::command::{Accepted, Answer, EventSummary, Lease};

/// Event types whose answer says how long something runs.
const RUNNING_EVENTS: [&str; 2] =
    ["gesta.work.task.lease_renewed.v1", "gesta.fleet.agent.heartbeat_recorded.v1"];

impl Shard {
    /// Answers every request of `pending`.
    pub(super) fn finish(&mut self, pending: Pending, answer: Answer) {
        self.bytes -= pending.bytes;
        self.commands -= 1 + pending.joined.len();
        self.counts.replayed += pending.joined.len() as u64;
        let answers = answers(pending, answer).map(|(request, a)| super::Output::Answer(request, a));
        self.out.extend(answers);
    }

    /// The answer that a counted commit gives, to its command and to every repetition of it.
    pub(super) fn stored(&self, home: &Stream, receipt: &Receipt, replayed: bool) -> Answer {
        let mut accepted = self.empty(home, receipt.offset);
        accepted.replayed = replayed;
        match &receipt.outcome {
            Outcome::One { kind, version } => {
                accepted.version = *version;
                accepted.events.push(summary(home, *version, kind));
                if RUNNING_EVENTS.contains(kind) {
                    let entry = self.streams.proven(home);
                    accepted.runs_until = entry.and_then(|entry| entry.state.runs_until());
                    accepted.grace_until = entry.and_then(|entry| entry.state.grace_until());
                }
            }
            Outcome::Many(many) => {
                if let Some(refusal) = &many.refusal {
                    return Answer::Refused(refusal.clone());
                }
                let own = many.events.iter().filter(|(stream, ..)| stream == home);
                accepted.version = own.map(|(_, version, _)| *version).max().unwrap_or(0);
                accepted.events = many.events.iter().map(|(s, v, kind)| summary(s, *v, kind)).collect();
                accepted.leases = many.leases.iter().filter_map(|(s, id)| self.lease(s, *id)).collect();
            }
        }
        Answer::Accepted(Box::new(accepted))
    }

    /// An acceptance of nothing, as of the record at `offset`.
    pub(super) fn empty(&self, home: &Stream, offset: u64) -> Accepted {
        Accepted {
            stream: home.clone(),
            version: 0,
            events: Vec::new(),
            position: Token::of(self.settings.generation, self.settings.shard, offset),
            replayed: false,
            leases: Vec::new(),
            runs_until: None,
            grace_until: None,
        }
    }

    /// A lease, if it is still the live one: a repeated claim names what is still leased.
    fn lease(&self, task: &Stream, id: uuid::Uuid) -> Option<Lease> {
        let entry = self.streams.proven(task)?;
        let view = match &entry.state {
            State::Task(task) => task.lease_view()?,
            _ => return None,
        };
        (view.lease_id == id).then(|| Lease {
            task: task.clone(),
            version: entry.version,
            lease_id: view.lease_id,
            fencing_token: view.fencing_token,
            attempt: view.attempt,
            lease_expires_at: view.lease_expires_at,
            queue: view.queue.to_owned(),
            kind: view.kind.to_owned(),
            title: view.title.to_owned(),
            payload: view.payload.clone(),
            lease_ms: view.lease_ms,
        })
    }
}

fn summary(stream: &Stream, version: u64, kind: &str) -> EventSummary {
    EventSummary { id: stream.event_id(version), stream: stream.clone(), kind: kind.to_owned(), version }
}
