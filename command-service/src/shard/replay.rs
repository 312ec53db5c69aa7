//! Following: the state is what the counted records say.

use event_log::{Content, Counted};
use schemas::commit::Commit;
use schemas::upcast::DecodeError;

use super::receipts::{CommandKey, Fact, Outcome, Receipt, body_number};
use super::streams::Change;
use super::{Phase, Shard};
use crate::aggregates::registry::AnyEvent;

impl Shard {
    /// Takes one counted record.
    pub(super) fn replay(&mut self, record: &Counted) {
        if !matches!(self.phase, Phase::Following | Phase::Claiming) {
            return;
        }
        if let Content::Commit(commit) = &record.content
            && let Err(error) = self.apply(commit, record.offset)
        {
            let shard = self.settings.shard;
            return self.stop(format!("shard {shard}, offset {}: {error}", record.offset));
        }
        self.cursor = record.cursor;
    }

    fn apply(&mut self, commit: &Commit, offset: u64) -> Result<(), DecodeError> {
        let mut facts = Vec::with_capacity(commit.events.len());
        let reads = self.settings.revisions.reads();
        for event in &commit.events {
            let (stream, version) = (event.stream.clone(), event.version);
            facts.push(Fact { stream, version, event: AnyEvent::decode(reads, event)? });
        }
        self.advance(commit.at);
        self.streams.replay(Change { facts: &facts, offset, correlation: &commit.correlation });
        if !self.settings.exclusive {
            // Somebody may wait here for a task that another process's owner made claimable.
            self.announce(&facts, offset);
        }
        let key = CommandKey::of(&commit.home, &commit.command.id);
        let body = body_number(&commit.command.body_hash);
        let outcome = Outcome::of(&commit.home, &facts);
        self.receipts.prove(key, Receipt { body, offset, outcome });
        Ok(())
    }
}
