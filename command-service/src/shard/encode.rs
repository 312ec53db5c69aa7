//! Writing a commit, once, straight from the decided events: the form of `schemas::commit::Commit`
//! without its copies.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use schemas::commit::{Actor, millis};
use schemas::upcast::Revisions;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::receipts::Fact;
use crate::aggregates::registry::AnyEvent;
use crate::command::Submission;

/// A commit about to be written.
pub(super) struct Draft<'a> {
    pub(super) submission: &'a Submission,
    pub(super) at: DateTime<Utc>,
    pub(super) facts: &'a [Fact],
    pub(super) revisions: &'a Revisions,
}

impl Draft<'_> {
    /// The value of the record.
    pub(super) fn encode(&self) -> Bytes {
        let submission = self.submission;
        let commit = CommitOut {
            command: CommandOut {
                id: &submission.command_id,
                kind: submission.command.name(),
                body_hash: &submission.body_hash,
            },
            home: submission.home.as_str(),
            tenant: submission.principal.tenant.as_str(),
            actor: &submission.principal.actor,
            correlation: &submission.correlation,
            causation: &submission.causation,
            trace: submission.trace.as_deref(),
            at: self.at,
            events: Events { facts: self.facts, revisions: self.revisions },
        };
        serde_json::to_vec(&commit).expect("commits have text keys only, so JSON can write them").into()
    }
}

#[derive(Serialize)]
struct CommitOut<'a> {
    command: CommandOut<'a>,
    home: &'a str,
    tenant: &'a str,
    actor: &'a Actor,
    correlation: &'a str,
    causation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    #[serde(with = "millis")]
    at: DateTime<Utc>,
    events: Events<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommandOut<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    body_hash: &'a str,
}

struct Events<'a> {
    facts: &'a [Fact],
    revisions: &'a Revisions,
}

#[derive(Serialize)]
struct EventOut<'a> {
    stream: &'a str,
    version: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    v: u32,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    /// In the revision that the code has.
    Current(&'a AnyEvent),
    /// In the one that was chosen instead.
    Chosen(Value),
}

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.facts.iter().map(|fact| {
            let (kind, v) = fact.event.kind();
            let (v, data) = match self.revisions.write(kind) {
                None => (v, Data::Current(&fact.event)),
                Some(step) => (step.to_v, Data::Chosen((step.change)(value(&fact.event)))),
            };
            EventOut { stream: fact.stream.as_str(), version: fact.version, kind, v, data }
        }))
    }
}

fn value(event: &AnyEvent) -> Value {
    serde_json::to_value(event).expect("events have text keys only, so JSON can write them")
}

/// Bytes of a command's body, for the bound on what waits undecided.
pub(super) fn body_bytes(submission: &Submission) -> usize {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, &submission.command).map_or(usize::MAX, |()| counter.0)
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
