//! One command: was it seen before, does the expected version hold, what does the aggregate decide.

use event_log::{Kind, Record};
use schemas::commit::{MAX_COMMIT_BYTES, MAX_COMMIT_EVENTS};
use schemas::ids::Stream;
use schemas::problem::Code;

use super::claim::{claim_of, grant};
use super::encode::{Draft, body_bytes};
use super::io::{Asked, Mode};
use super::pending::{Decided, Origin, Pending};
use super::receipts::{CommandKey, Fact, Known, Outcome, Receipt, body_number};
use super::streams::{Change, Entry, Streams};
use super::{Phase, Shard, limits};
use crate::aggregates::{Context, Refusal, registry};
use crate::command::{Answer, Expected, Submission};

/// Command ids that begin so are the shard's own.
pub(super) const OWN_IDS: &str = "gesta:";

impl Shard {
    /// A command comes in.
    pub(super) fn arrive(&mut self, asked: Asked) {
        let full = self.commands >= limits::MAX_WAITING_COMMANDS || self.bytes >= limits::MAX_WAITING_BYTES;
        let turned_away = match &self.phase {
            Phase::Stopped(place) => Some((Code::ShardStopped, place.clone())),
            _ if self.draining => Some((Code::NotReady, "the shard goes to another owner".to_owned())),
            _ if full => Some((Code::Busy, format!("{} commands wait for this shard", self.commands))),
            Phase::Following => Some((Code::NotReady, "this process does not own the shard".to_owned())),
            Phase::Claiming | Phase::Owner(_) => None,
        };
        if let Some((code, detail)) = turned_away {
            self.counts.busy += u64::from(code == Code::Busy);
            self.out.push(super::Output::Answer(asked.request, Answer::Failed { code, detail }));
            return;
        }
        self.commands += 1;
        self.arrivals += 1;
        let Asked { request, mode, key, submission, expires } = asked;
        let (joined, arrival) = (Vec::new(), self.arrivals);
        let (sent, bytes) = (false, 0);
        let pending = Pending { request, joined, mode, key, submission, expires, arrival, sent, bytes };
        if matches!(self.phase, Phase::Owner(_)) && self.waiting.is_empty() && self.alone == 0 {
            self.execute(pending);
        } else {
            self.wait(pending);
        }
    }

    /// Puts a command behind those that are not decided yet.
    pub(super) fn wait(&mut self, mut pending: Pending) {
        let bytes = body_bytes(&pending.submission);
        self.weigh(&mut pending, bytes);
        self.waiting.push_back(pending);
    }

    fn weigh(&mut self, pending: &mut Pending, bytes: usize) {
        self.bytes = self.bytes - pending.bytes + bytes;
        pending.bytes = bytes;
    }

    /// Decides a command on speculative state.
    pub(super) fn execute(&mut self, pending: Pending) {
        let submission = &*pending.submission;
        let key = pending.key;
        let body = body_number(&submission.body_hash);
        if submission.command_id.starts_with(OWN_IDS) {
            let reason = format!("Idempotency-Key must not begin with {OWN_IDS}");
            return self.finish(pending, Answer::Refused(Refusal::Guard { field: "", reason }));
        }
        if submission.dry_run && pending.mode == Mode::Execute {
            return self.rehearse(pending);
        }
        match self.receipts.find(key) {
            Some(Known::Proven(receipt)) => {
                let same = receipt.body == body;
                let answer = if same {
                    self.stored(&submission.home, receipt, true)
                } else {
                    Answer::Refused(Refusal::KeyReused)
                };
                self.counts.replayed += u64::from(same);
                self.finish(pending, answer);
            }
            Some(Known::Unproven { seq, body: first }) if first == body => self.join(seq, pending),
            Some(Known::Unproven { .. }) => {
                self.hold_for_decided(pending, Answer::Refused(Refusal::KeyReused));
            }
            None if pending.mode == Mode::LookUp => {
                self.hold(pending, Answer::Refused(Refusal::NotFound { aggregate: "command" }));
            }
            None => self.decide(pending, key, body),
        }
    }

    fn join(&mut self, seq: u64, pending: Pending) {
        match self.pipeline.find(seq).map(|decided| &mut decided.origin) {
            Some(Origin::Client(first)) => {
                first.joined.push(pending.request);
                first.joined.extend(pending.joined);
                self.bytes -= pending.bytes;
            }
            // The shard's own commands have ids that no client may use.
            _ => self.hold_for_decided(pending, Answer::Refused(Refusal::KeyReused)),
        }
    }

    fn decide(&mut self, pending: Pending, key: CommandKey, body: u128) {
        match self.facts(&pending.submission, Streams::current) {
            Ok(facts) if facts.is_empty() => self.unchanged(pending),
            Ok(facts) => self.commit(Origin::Client(pending), key, body, facts),
            Err(refusal) => {
                self.counts.refused += 1;
                self.hold(pending, Answer::Refused(refusal));
            }
        }
    }

    /// What a command does to the states that `view` shows.
    pub(super) fn facts<'a>(
        &'a self,
        submission: &Submission,
        view: impl Fn(&'a Streams, &Stream) -> Option<&'a Entry>,
    ) -> Result<Vec<Fact>, Refusal> {
        let home = &submission.home;
        let entry = view(&self.streams, home);
        let version = entry.map_or(0, |entry| entry.version);
        check_version(submission.expected, version)?;
        let actor = &submission.principal.actor;
        let actor = format!("{}/{}", actor.kind, actor.id);
        if let Some(claim) = claim_of(submission) {
            return Ok(grant(&self.streams, view, claim, home, &actor, self.now));
        }
        let context = Context { stream: home, actor: &actor, at: self.now };
        let state = entry.map(|entry| &entry.state);
        let events = match registry::decide(state, &submission.command, context) {
            Ok(events) => events,
            Err(refusal) => match registry::recorded(state, &submission.command, &refusal) {
                Some(event) => vec![event],
                None => return Err(refusal),
            },
        };
        let numbered = events.into_iter().zip(version + 1..);
        Ok(numbered.map(|(event, version)| Fact { stream: home.clone(), version, event }).collect())
    }

    /// Writes the record of a decision and applies it.
    pub(super) fn commit(&mut self, mut origin: Origin, key: CommandKey, body: u128, facts: Vec<Fact>) {
        let Phase::Owner(ownership) = &mut self.phase else { return };
        let submission = match &origin {
            Origin::Client(pending) => &pending.submission,
            Origin::Deadline(submission) => submission,
            Origin::Barrier => return,
        };
        let revisions = &self.settings.revisions;
        let value = Draft { submission, at: self.now, facts: &facts, revisions }.encode();
        let size = value.len() + submission.home.as_str().len() + event_log::FENCE_BYTES;
        if size > MAX_COMMIT_BYTES || facts.len() > MAX_COMMIT_EVENTS {
            return self.too_large(origin, size, facts.len());
        }
        let seq = ownership.next_seq();
        let record = Record { fence: ownership.stamp(Kind::Commit), key: submission.home.to_string(), value };
        let offset = ownership.offset_of(seq);
        let correlation = &submission.correlation;
        self.streams.decide(seq, Change { facts: &facts, offset, correlation });
        self.receipts.expect(key, seq, body);
        if let Origin::Client(pending) = &mut origin {
            self.weigh(pending, size);
        }
        self.pipeline.forming.push_back(Decided { seq, record: Some(record), origin, key, body, facts });
    }

    fn too_large(&mut self, origin: Origin, size: usize, events: usize) {
        let detail = format!(
            "the command makes {events} events of {size} bytes; a commit holds {MAX_COMMIT_EVENTS} events of \
             {MAX_COMMIT_BYTES} bytes"
        );
        match origin {
            Origin::Client(pending) => {
                self.finish(pending, Answer::Failed { code: Code::CommitTooLarge, detail });
            }
            Origin::Deadline(submission) => self.set_aside(&submission.home),
            Origin::Barrier => {}
        }
    }

    /// Answers a dry run from proven state; nothing is written, nothing is promised.
    fn rehearse(&mut self, pending: Pending) {
        let home = &pending.submission.home;
        let offset = self.cursor.last_counted.unwrap_or(0);
        let answer = match self.facts(&pending.submission, Streams::proven) {
            Ok(facts) if facts.is_empty() => Answer::Accepted(Box::new(self.empty(home, offset))),
            Ok(facts) => {
                let outcome = Outcome::of(home, &facts);
                self.stored(home, &Receipt { body: 0, offset, outcome }, false)
            }
            Err(refusal) => Answer::Refused(refusal),
        };
        self.finish(pending, answer);
    }

    /// Granted, and nothing is to be written.
    fn unchanged(&mut self, pending: Pending) {
        self.counts.unchanged += 1;
        let home = &pending.submission.home;
        let mut accepted = self.empty(home, self.cursor.last_counted.unwrap_or(0));
        let entry = self.streams.current(home);
        accepted.version = entry.map_or(0, |entry| entry.version);
        accepted.runs_until = entry.and_then(|entry| entry.state.runs_until());
        accepted.grace_until = entry.and_then(|entry| entry.state.grace_until());
        let proven = !self.streams.is_ahead(home);
        let renewal = matches!(pending.submission.command.name(), "task.renew" | "agent.heartbeat");
        let claim = claim_of(&pending.submission).is_some();
        let answer = Answer::Accepted(Box::new(accepted));
        if claim || (renewal && proven) {
            // The instant stands in a proven event, and an empty claim promises nothing.
            self.finish(pending, answer);
        } else if renewal {
            self.hold_for_decided(pending, answer);
        } else {
            self.hold(pending, answer);
        }
    }
}

fn check_version(expected: Option<Expected>, actual: u64) -> Result<(), Refusal> {
    match expected {
        Some(Expected::IfMatch(expected)) if expected != actual => {
            Err(Refusal::PreconditionFailed { expected, actual })
        }
        Some(Expected::Absent) if actual != 0 => Err(Refusal::PreconditionFailed { expected: 0, actual }),
        Some(Expected::Body(expected)) if expected != actual => {
            Err(Refusal::VersionConflict { expected, actual })
        }
        _ => Ok(()),
    }
}
