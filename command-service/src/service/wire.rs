//! Submissions and answers as they go from one process to another: JSON, nothing lost.

use std::time::Duration;

use schemas::commit::Actor;
use schemas::ids::{Stream, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command::{Answer, AnyCommand, Expected, Submission};
use crate::principal::Principal;
use crate::shard::Mode;

/// A command on its hop.
#[derive(Debug, Serialize)]
pub(super) struct AskOut<'a> {
    mode: Mode,
    kind: &'a str,
    command: &'a AnyCommand,
    command_id: &'a str,
    body_hash: &'a str,
    home: &'a Stream,
    tenant: &'a Tenant,
    actor: &'a Actor,
    correlation: &'a str,
    causation: &'a str,
    trace: Option<&'a str>,
    expected: Option<Expected>,
    dry_run: bool,
    /// How long somebody waits for the answer, in milliseconds.
    wait: u64,
}

/// The same, read.
#[derive(Debug, Deserialize)]
pub(super) struct AskIn {
    pub(super) mode: Mode,
    kind: String,
    command: Box<RawValue>,
    command_id: String,
    body_hash: String,
    home: Stream,
    tenant: Tenant,
    actor: Actor,
    correlation: String,
    causation: String,
    trace: Option<String>,
    expected: Option<Expected>,
    dry_run: bool,
    wait: u64,
}

impl<'a> AskOut<'a> {
    pub(super) fn new(mode: Mode, submission: &'a Submission, wait: Duration) -> Self {
        Self {
            mode,
            kind: submission.command.name(),
            command: &submission.command,
            command_id: &submission.command_id,
            body_hash: &submission.body_hash,
            home: &submission.home,
            tenant: &submission.principal.tenant,
            actor: &submission.principal.actor,
            correlation: &submission.correlation,
            causation: &submission.causation,
            trace: submission.trace.as_deref(),
            expected: submission.expected,
            dry_run: submission.dry_run,
            wait: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl AskIn {
    pub(super) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait)
    }

    /// The submission; the error says what this release does not know of it.
    pub(super) fn submission(self) -> Result<Submission, String> {
        let decoded = AnyCommand::decode(&self.kind, self.command.get());
        let unknown = || format!("this release knows no command {}", self.kind);
        let command = decoded.ok_or_else(unknown)?.map_err(|error| error.to_string())?;
        Ok(Submission {
            command,
            command_id: self.command_id,
            body_hash: self.body_hash,
            home: self.home,
            principal: Principal { tenant: self.tenant, actor: self.actor },
            correlation: self.correlation,
            causation: self.causation,
            trace: self.trace,
            expected: self.expected,
            dry_run: self.dry_run,
        })
    }
}

pub(super) fn write_answer(answer: &Answer) -> Vec<u8> {
    serde_json::to_vec(answer).expect("an answer has text keys only, so JSON can write it")
}

pub(super) fn read_answer(octets: &[u8]) -> Result<Answer, serde_json::Error> {
    serde_json::from_slice(octets)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use schemas::position::Token;
    use schemas::problem::Code;
    use schemas::task::{CancelTask, ClaimTasks};
    use serde_json::json;

    use super::*;
    use crate::aggregates::Refusal;
    use crate::command::{Accepted, EventSummary, Lease};

    fn submission(command: AnyCommand) -> Submission {
        Submission {
            command,
            command_id: "k-1".into(),
            body_hash: "00".into(),
            home: "acme/queue/default".parse().unwrap(),
            principal: Principal::named(Some("acme"), Some("agent/a/b")).unwrap(),
            correlation: "c".into(),
            causation: "d".into(),
            trace: Some("t".into()),
            expected: Some(Expected::IfMatch(u64::MAX)),
            dry_run: true,
        }
    }

    /// PLAT-30: what an owner is asked over a hop is what the edge made of the request.
    #[test]
    fn a_submission_goes_and_comes_whole() {
        let claim: ClaimTasks = serde_json::from_value(
            json!({ "worker": "w", "queues": ["default", "q"], "max": 3, "wait": 250 }),
        )
        .unwrap();
        let cancel = CancelTask { reason: Some("Übermut".into()) };
        for command in [AnyCommand::Task(claim.into()), AnyCommand::Task(cancel.into())] {
            let before = submission(command);
            for mode in [Mode::Execute, Mode::LookUp] {
                let ask = AskOut::new(mode, &before, Duration::from_millis(1_500));
                let read: AskIn = serde_json::from_slice(&serde_json::to_vec(&ask).unwrap()).unwrap();
                assert_eq!((read.mode, read.wait()), (mode, Duration::from_millis(1_500)));
                assert_eq!(read.submission().unwrap(), before);
            }
        }
    }

    fn refusals() -> Vec<Refusal> {
        let aggregate = "task";
        vec![
            Refusal::NotFound { aggregate },
            Refusal::AlreadyExists { aggregate },
            Refusal::Transition {
                aggregate,
                command: "task.start",
                stage: "queued",
                allowed: vec!["task.cancel"],
            },
            Refusal::Guard { field: "/x", reason: "no".into() },
            Refusal::StaleToken { given: 1, current: u32::MAX },
            Refusal::ForeignToken { given: 7 },
            Refusal::VersionConflict { expected: 1, actual: u64::MAX },
            Refusal::PreconditionFailed { expected: 1, actual: 2 },
            Refusal::KeyReused,
        ]
    }

    /// PLAT-30: a client cannot tell by the answer which process it asked.
    #[test]
    fn an_answer_goes_and_comes_whole() {
        let stream: Stream = "acme/task/1".parse().unwrap();
        let at = DateTime::from_timestamp(1_767_225_600, 123_456_789).unwrap();
        let (id, payload) = (uuid::Uuid::from_u128(7), json!({ "n": 1.5, "deep": { "x": [null, true] } }));
        let lease = Lease {
            task: stream.clone(),
            version: 3,
            lease_id: id,
            fencing_token: 2,
            attempt: 2,
            lease_expires_at: at,
            queue: "q".into(),
            kind: "k".into(),
            title: "t".into(),
            payload: payload.as_object().unwrap().clone(),
            lease_ms: 30_000,
        };
        let accepted = Accepted {
            stream: stream.clone(),
            version: 3,
            events: vec![EventSummary { id, stream, kind: "gesta.x.v1".into(), version: 3 }],
            position: Token { generation: 1, marks: BTreeMap::from([(0, 7), (3, u64::MAX)]) },
            replayed: true,
            leases: vec![lease],
            runs_until: Some(at),
            grace_until: None,
        };
        let failed = Answer::Failed { code: Code::Busy, detail: "full".into() };
        let mut answers = vec![Answer::Accepted(Box::new(accepted)), failed, Answer::Unknown];
        answers.extend(refusals().into_iter().map(Answer::Refused));
        for answer in answers {
            assert_eq!(read_answer(&write_answer(&answer)).unwrap(), answer);
        }
    }
}
