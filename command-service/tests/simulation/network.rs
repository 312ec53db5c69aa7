//! The way of a batch from a node to the log and back, and what goes wrong on it.

use chrono::{DateTime, Utc};
use command_service::shard::{AppendFailure, Claim, Input};
use event_log::memory::BatchId;
use event_log::{ClaimAttempt, ClaimError, Content, Counted, Record};

use super::world::{Event, World};

/// A command that the log refuses, whatever batch it is in, has this in its body.
const POISON: &[u8] = b"poison";
/// How long a node waits for a report.
const REPORT_TIMEOUT: u64 = 400;

/// Who waits for a report.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    node: usize,
    life: u32,
    /// The claim that was sent; a batch of records otherwise.
    claim: Option<(u32, ClaimAttempt)>,
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
        let count = records.len();
        let batch = self.core.send(0, records);
        self.transmit(batch, count, Sender { node, life, claim: None });
    }

    /// Begins a claim: reads what there is, and sends the claim of the next epoch.
    pub(crate) fn claim(&mut self, node: usize) {
        let nonce = self.chance.next();
        let Some(attempt) = self.nodes[node].attempt(nonce, &self.core) else { return };
        let batch = self.core.send(0, vec![attempt.record()]);
        let (life, number) = (self.nodes[node].life, self.nodes[node].claims);
        self.transmit(batch, 1, Sender { node, life, claim: Some((number, attempt)) });
    }

    fn transmit(&mut self, batch: BatchId, count: usize, sender: Sender) {
        if self.rough(self.weather.batches) {
            self.mishap(batch, count, sender);
        } else {
            let delay = self.chance.within(1, 15);
            self.plan(delay, Event::Land { batch, sender: Some(sender) });
        }
    }

    /// A batch lands.
    pub(crate) fn land(&mut self, batch: BatchId, sender: Option<Sender>) {
        let offsets = self.core.land(batch);
        if let Some(sender) = sender {
            self.report(sender, Ok(offsets));
        }
    }

    fn report(&mut self, sender: Sender, report: Result<Vec<u64>, ()>) {
        let delay = if report.is_ok() { self.chance.within(1, 15) } else { REPORT_TIMEOUT };
        let Sender { node, life, claim } = sender;
        let event = match claim {
            Some((number, attempt)) => {
                let offset = report.ok().and_then(|offsets| offsets.first().copied());
                Event::Claimed { node, life, number, attempt, offset }
            }
            None => {
                let lost = |()| AppendFailure { permanent: false, detail: "timeout".into() };
                Event::Report { node, life, report: report.map_err(lost) }
            }
        };
        self.plan(delay, event);
    }

    /// One of the ways in which a batch goes astray.
    fn mishap(&mut self, batch: BatchId, count: usize, sender: Sender) {
        let late = self.chance.within(1, 3 * REPORT_TIMEOUT);
        let report = match self.chance.below(7) {
            0 => {
                self.core.lose(batch);
                Err(())
            }
            1 => {
                self.core.land(batch);
                Err(())
            }
            2 => {
                self.plan(late, Event::Land { batch, sender: None });
                Err(())
            }
            3 => {
                let offsets = self.core.land_copy(batch);
                self.plan(late, Event::Land { batch, sender: None });
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
        };
        self.report(sender, report);
    }

    /// A node hears of its claim: it reads up to it and sees whether it counted.
    pub(crate) fn claimed(&mut self, node: usize, attempt: &ClaimAttempt, offset: Option<u64>) {
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
}
