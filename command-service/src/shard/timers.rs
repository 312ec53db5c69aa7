//! Deadlines: when one is due, the shard issues the aggregate's own command.

use schemas::commit::Actor;
use schemas::ids::{Stream, Tenant};

use super::execute::OWN_IDS;
use super::pending::Origin;
use super::receipts::{CommandKey, body_hash, body_number};
use super::streams::{Entry, Streams};
use super::{Shard, limits};
use crate::command::Submission;
use crate::principal::Principal;

impl Shard {
    /// Issues the commands of all deadlines that have come, earliest first.
    pub(super) fn issue_due(&mut self) {
        if self.draining || (self.alone > 0 && !self.pipeline.is_empty()) {
            return;
        }
        let most = if self.alone > 0 { 1 } else { limits::MAX_DUE_PER_TICK };
        for _ in 0..most {
            let Some((_, stream)) = self.streams.deadlines.due(self.now).cloned() else {
                if self.pipeline.is_empty() {
                    self.alone = 0;
                }
                return;
            };
            self.issue(&stream);
        }
    }

    fn issue(&mut self, stream: &Stream) {
        let submission = self.streams.current(stream).and_then(|entry| due_command(stream, entry));
        let Some(submission) = submission else { return self.set_aside(stream) };
        match self.facts(&submission, Streams::current) {
            Ok(facts) if !facts.is_empty() => {
                self.counts.due += 1;
                let key = CommandKey::of(stream, &submission.command_id);
                let body = body_number(&submission.body_hash);
                self.commit(Origin::Deadline(Box::new(submission)), key, body, facts);
            }
            _ => self.set_aside(stream),
        }
    }

    /// Takes a deadline that leads nowhere out of the order until its stream changes, lest it spin.
    pub(super) fn set_aside(&mut self, stream: &Stream) {
        self.counts.stuck_deadlines += 1;
        if let Some(at) = self.streams.current(stream).and_then(Entry::due) {
            self.streams.deadlines.remove(stream, at);
        }
    }
}

/// The command of a stream's deadline. Its id derives from the stream (its scope) and the version, so
/// however often it is issued it takes effect once.
fn due_command(stream: &Stream, entry: &Entry) -> Option<Submission> {
    let (_, command) = entry.state.deadline()?;
    let body = serde_json::to_vec(&command);
    let cause = stream.event_id(entry.version).to_string();
    Some(Submission {
        command,
        command_id: format!("{OWN_IDS}due:{}", entry.version),
        body_hash: body_hash(&body.ok()?),
        home: stream.clone(),
        principal: Principal {
            tenant: Tenant::new(stream.tenant()).ok()?,
            actor: Actor { kind: "system".to_owned(), id: "shard".to_owned() },
        },
        correlation: entry.correlation.as_deref().map_or_else(|| cause.clone(), str::to_owned),
        causation: cause,
        trace: None,
        expected: None,
        dry_run: false,
    })
}
