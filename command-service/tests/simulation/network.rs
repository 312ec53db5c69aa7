//! The way of a batch from a node to the log and back, and what goes wrong on it.

use chrono::{DateTime, Utc};
use command_service::shard::{AppendFailure, Claim, Input};
use event_log::memory::BatchId;
use event_log::{ClaimAttempt, ClaimError, Content, Counted, Cursor, Record};

use super::faults::Passage;
use super::world::{Event, World};

/// A command that the log refuses, whatever batch it is in, has this in its body.
const POISON: &[u8] = b"poison";
/// How long a node waits for a report.
pub(crate) const REPORT_TIMEOUT: u64 = 400;

/// Who waits for a report.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    node: usize,
    life: u32,
    /// The claim that was sent, its number, and what was read before; a batch of records otherwise.
    claim: Option<(u32, ClaimAttempt, Cursor)>,
}

impl World {
    /// Sends a batch of records.
    pub(crate) fn append(&mut self, node: usize, records: Vec<Record>) {
        let life = self.nodes[node].life;
        let poison = records.iter().any(|r| r.value.windows(POISON.len()).any(|part| part == POISON));
        if poison {
            let report = Err(AppendFailure { permanent: true, detail: "poison".into() });
            return self.plan(3, Event::Report { node, life, report });
        }
        let sender = Sender { node, life, claim: None };
        self.transmit(records, sender);
    }

    /// Begins a claim: reads what there is, and sends the claim of the next epoch.
    pub(crate) fn claim(&mut self, node: usize) {
        let nonce = self.chance.next();
        let basis = self.end();
        let attempt = ClaimAttempt::new(&basis, u128::from(nonce), "");
        let (life, number) = (self.nodes[node].life, self.nodes[node].claims);
        let record = attempt.record();
        self.transmit(vec![record], Sender { node, life, claim: Some((number, attempt, basis)) });
    }

    fn transmit(&mut self, records: Vec<Record>, sender: Sender) {
        let (nonce, count) = (records[0].fence.nonce, records.len());
        let batch = self.core.send(0, records);
        if self.rough(self.weather.batches) && !self.is_lost(nonce) {
            self.mishap(batch, nonce, count, sender);
        } else {
            let delay = self.chance.within(1, 15);
            self.plan(delay, Event::Land { batch, nonce, sender: Some(sender) });
        }
    }

    /// A batch lands.
    pub(crate) fn land(&mut self, batch: BatchId, nonce: u128, sender: Option<Sender>) {
        match self.passage(nonce) {
            Passage::Open => {}
            Passage::Wait => return self.plan(5, Event::Land { batch, nonce, sender }),
            Passage::Shut => {
                self.core.lose(batch);
                if let Some(sender) = sender {
                    self.report(sender, Err(()));
                }
                return;
            }
        }
        let offsets = self.core.land(batch);
        let Some(sender) = sender else { return };
        if let (Some((_, claim, _)), Some(&offset)) = (&sender.claim, offsets.first()) {
            self.claim_landed(offset, claim.clone());
        }
        self.report(sender, Ok(offsets));
    }

    pub(crate) fn report(&mut self, sender: Sender, report: Result<Vec<u64>, ()>) {
        let late = sender.claim.is_some() && self.rough(self.weather.claims);
        let delay = match report {
            Ok(_) if late => self.chance.within(1, REPORT_TIMEOUT / 2),
            Ok(_) => self.chance.within(1, 15),
            Err(()) => REPORT_TIMEOUT,
        };
        let Sender { node, life, claim } = sender;
        let event = match claim {
            Some((number, attempt, basis)) => {
                let offset = report.ok().and_then(|offsets| offsets.first().copied());
                Event::Claimed { node, life, number, attempt, basis, offset }
            }
            None => {
                let lost = |()| AppendFailure { permanent: false, detail: "timeout".into() };
                Event::Report { node, life, report: report.map_err(lost) }
            }
        };
        self.plan(delay, event);
    }

    /// A node hears of its claim: it reads up to it and sees whether it counted.
    pub(crate) fn claimed(
        &mut self,
        node: usize,
        attempt: &ClaimAttempt,
        basis: Cursor,
        offset: Option<u64>,
    ) {
        let Some(offset) = offset else {
            return self.input(node, Input::NotClaimed);
        };
        let cursor = match self.read_back(basis, offset) {
            Ok(cursor) => cursor,
            Err(error) => return self.input(node, Input::Damaged(error)),
        };
        match attempt.decide(offset, &cursor) {
            Ok(ownership) => {
                self.read(node, offset + 1);
                let last_at = self.last_at();
                self.nodes[node].claimed(self.now, last_at);
                self.input(node, Input::Claimed(Box::new(Claim { ownership, cursor, last_at })));
                self.input(node, Input::Flush);
            }
            Err(ClaimError::Lost { .. }) => {
                self.seen.races += u64::from(basis.epoch + 1 == self.end().epoch);
                self.input(node, Input::NotClaimed);
            }
            Err(error) => self.input(node, Input::Damaged(error.to_string())),
        }
    }

    /// What a reader that stood at `basis` knows after the record at `offset`.
    fn read_back(&self, basis: Cursor, offset: u64) -> Result<Cursor, String> {
        let records = (offset + 1).checked_sub(basis.next_offset).filter(|_| self.core.end(0) > offset);
        let records = records.and_then(|records| usize::try_from(records).ok());
        let records = records.ok_or_else(|| format!("the log ends below offset {offset}"))?;
        self.core.read(&basis, records).map(|(_, cursor)| cursor).map_err(|error| error.to_string())
    }

    /// The end of the log, read to the last record.
    pub(crate) fn end(&mut self) -> Cursor {
        self.last_at();
        self.follower.0
    }

    /// Time of the last commit that counts.
    fn last_at(&mut self) -> Option<DateTime<Utc>> {
        let (cursor, last) = &mut self.follower;
        let (records, after) = self.core.read(cursor, usize::MAX).expect("it goes back with the log");
        let at = |record: &Counted| match &record.content {
            Content::Commit(commit) => Some(commit.at),
            _ => None,
        };
        (*cursor, *last) = (after, records.iter().rev().find_map(at).or(*last));
        *last
    }
}
