//! What goes wrong: with batches, with claims, with nodes and their clocks.

use chrono::TimeDelta;
use command_service::shard::Input;
use event_log::memory::BatchId;
use event_log::{ClaimAttempt, Cursor};

use super::chance::Chance;
use super::disk::Disk;
use super::network::{REPORT_TIMEOUT, Sender};
use super::world::{Event, NODES, World};

/// How a batch goes astray.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mishap {
    /// It never lands.
    Lost,
    /// It lands, and nobody hears of it.
    ReportLost,
    /// It lands long after its sender gave it up.
    Late,
    /// It lands, and once more later.
    LateAgain,
    /// It lands twice; the sender hears of the second time.
    Doubled,
    /// Its first records land, the others are lost.
    Torn,
    /// Its records land in the wrong order.
    Reversed,
}

impl Mishap {
    const ALL: &[Self] = &[
        Self::Lost,
        Self::ReportLost,
        Self::Late,
        Self::LateAgain,
        Self::Doubled,
        Self::Torn,
        Self::Reversed,
    ];
}

/// What happens to a node.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Crash,
    /// It stops for a while, and goes on as if nothing had happened.
    Pause,
    /// Its clock is set, by up to an hour.
    Clock,
    /// It claims the shard, whoever owns it.
    Takeover,
    /// Both start, and claim, at the same moment.
    Race,
}

impl Trouble {
    const ALL: &[Self] = &[Self::Crash, Self::Pause, Self::Clock, Self::Takeover, Self::Race];
}

/// How rough the run is, in percent of the occasions, and of which kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// A batch does not land and report as it should.
    pub(crate) batches: u64,
    pub(crate) mishaps: &'static [Mishap],
    /// A message between client and node is lost, doubled or late.
    pub(crate) messages: u64,
    /// Something happens to a node.
    pub(crate) nodes: u64,
    pub(crate) troubles: &'static [Trouble],
    /// A claim that the log has confirmed is lost, as an unclean election does it.
    pub(crate) claims: u64,
}

impl Weather {
    /// Nothing goes wrong.
    pub(crate) const CALM: Self =
        Self { batches: 0, mishaps: Mishap::ALL, messages: 0, nodes: 0, troubles: Trouble::ALL, claims: 0 };

    /// Any weather.
    pub(crate) fn of(chance: &mut Chance) -> Self {
        let mut weather = Self {
            batches: *chance.pick(&[0, 5, 15, 40]).unwrap(),
            messages: *chance.pick(&[0, 10, 30]).unwrap(),
            nodes: *chance.pick(&[0, 20, 60]).unwrap(),
            ..Self::CALM
        };
        if weather.nodes > 0 {
            weather.claims = *chance.pick(&[0, 0, 20, 60]).unwrap();
        }
        weather
    }
}

/// A claim that the log confirmed and lost. Its owner may believe in it for long.
#[derive(Debug)]
pub(crate) struct Lost {
    offset: u64,
    epoch: u64,
    nonce: u128,
    /// Virtual time from which what its owner sent is lost as well; none if nobody had read it back yet.
    cut_off: Option<u64>,
}

/// Whether a batch may land.
pub(crate) enum Passage {
    Open,
    Wait,
    Shut,
}

/// What happened in a run, beside what the history and the log show.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    /// Claims that were lost after the log had confirmed them.
    pub(crate) lost_claims: u64,
    /// Claims that counted for the epoch of a lost one.
    pub(crate) same_epoch: u64,
    /// Claims that came second at their epoch.
    pub(crate) races: u64,
    /// Nodes that found that the log had lost something, and stopped.
    pub(crate) stopped: u64,
}

impl World {
    /// One of the ways in which a batch goes astray.
    pub(crate) fn mishap(&mut self, batch: BatchId, nonce: u128, count: usize, sender: Sender) {
        let late = self.chance.within(1, 3 * REPORT_TIMEOUT);
        let report = match self.chance.pick(self.weather.mishaps).unwrap() {
            Mishap::Lost => {
                self.core.lose(batch);
                Err(())
            }
            Mishap::ReportLost => {
                self.core.land(batch);
                Err(())
            }
            Mishap::Late => {
                self.plan(late, Event::Land { batch, nonce, sender: None });
                Err(())
            }
            Mishap::LateAgain => {
                let offsets = self.core.land_copy(batch);
                self.plan(late, Event::Land { batch, nonce, sender: None });
                Ok(offsets)
            }
            Mishap::Doubled => {
                self.core.land_copy(batch);
                Ok(self.core.land(batch))
            }
            Mishap::Torn => {
                let part = usize::try_from(self.chance.below(count as u64 + 1)).unwrap();
                let order: Vec<usize> = (0..part).collect();
                Ok(self.core.land_some(batch, &order))
            }
            Mishap::Reversed => {
                let order: Vec<usize> = (0..count).rev().collect();
                let mut offsets = self.core.land_some(batch, &order);
                offsets.reverse();
                Ok(offsets)
            }
        };
        self.report(sender, report);
    }

    /// A claim has landed; it may be lost again, before or after its owner hears of it.
    pub(crate) fn claim_landed(&mut self, offset: u64, claim: ClaimAttempt) {
        let end = self.end();
        let again = self.lost.iter().any(|lost| lost.epoch == end.epoch && lost.nonce != end.nonce);
        self.seen.same_epoch += u64::from(again && end.nonce == claim.nonce);
        if self.rough(self.weather.claims) {
            let delay = self.chance.within(1, 30);
            self.plan(delay, Event::LoseClaim { offset, claim });
        }
    }

    /// The log loses a claim. It loses nothing else that it confirmed: no record came after the claim.
    pub(crate) fn lose_claim(&mut self, offset: u64, claim: &ClaimAttempt) {
        let end = self.end();
        if self.calm || end.next_offset != offset + 1 || end.nonce != claim.nonce {
            return;
        }
        self.core.truncate(0, offset);
        self.landed.truncate(usize::try_from(offset).unwrap());
        self.follower = (Cursor::beginning(self.core.genesis(), 0), None);
        self.seen.lost_claims += 1;
        let cut_off = self.now + self.chance.within(100, 2_000);
        let cut_off = self.nodes.iter().any(|node| node.owns(claim.nonce)).then_some(cut_off);
        self.lost.push(Lost { offset, epoch: claim.epoch, nonce: claim.nonce, cut_off });
        // Somebody claims again soon, not always the one who lost it.
        let node = usize::try_from(self.chance.below(NODES as u64)).unwrap();
        let within = *self.chance.pick(&[10, 300]).unwrap();
        self.take_over(node, within);
    }

    pub(crate) fn is_lost(&self, nonce: u128) -> bool {
        self.lost.iter().any(|lost| lost.nonce == nonce)
    }

    /// Whether a batch with this nonce may land now. Where exactly one record took the place of a lost
    /// claim, the first record of that claim's owner would stand where it must, and no offset could tell
    /// (docs/guarantees.md §3); so it comes later, or never. Who had not read its claim back yet is told
    /// by the nonce, and has no such excuse.
    pub(crate) fn passage(&mut self, nonce: u128) -> Passage {
        let end = self.end();
        let lost = self.lost.iter().find(|lost| lost.nonce == nonce);
        let Some((lost, cut_off)) = lost.and_then(|lost| Some((lost, lost.cut_off?))) else {
            return Passage::Open;
        };
        match end.next_offset == lost.offset + 1 && end.nonce != nonce {
            false => Passage::Open,
            true if self.now < cut_off => Passage::Wait,
            true => Passage::Shut,
        }
    }

    /// Damage stops a node; only a lost claim is damage.
    pub(crate) fn tend(&mut self, node: usize) {
        let Some(place) = self.nodes[node].stopped() else { return };
        assert!(!self.lost.is_empty(), "the log lost nothing, and yet: {place}");
        if !std::mem::replace(&mut self.nodes[node].tended, true) {
            self.seen.stopped += 1;
            let (delay, life) = (self.chance.within(10, 500), self.nodes[node].life);
            self.plan(delay, Event::Repair { node, life });
        }
    }

    /// A stopped node starts anew, without a store that knows what the log has lost.
    pub(crate) fn repair(&mut self, node: usize) {
        self.nodes[node].crash();
        if let Some(disk) = &mut self.nodes[node].disk {
            *disk = Disk::default();
        }
        if !self.calm || node == 0 {
            self.boot(node);
        }
    }

    fn take_over(&mut self, node: usize, within: u64) {
        self.input(node, Input::Revoke);
        let delay = self.chance.within(1, within);
        self.plan(delay, Event::Boot { node });
    }

    /// Something happens to a node.
    pub(crate) fn disturb(&mut self) {
        if self.calm {
            return;
        }
        let delay = self.chance.within(100, 1_500);
        self.plan(delay, Event::Disturb);
        if !self.chance.percent(self.weather.nodes) {
            return;
        }
        let node = usize::try_from(self.chance.below(NODES as u64)).unwrap();
        match self.chance.pick(self.weather.troubles).unwrap() {
            Trouble::Crash => {
                self.nodes[node].crash();
                let delay = self.chance.within(10, 2_000);
                self.plan(delay, Event::Boot { node });
            }
            Trouble::Pause => self.nodes[node].paused_until = self.now + self.chance.within(50, 3_000),
            Trouble::Clock => {
                let minutes = i64::try_from(self.chance.below(121)).unwrap() - 60;
                let minutes = *self.chance.pick(&[-60, 60, minutes]).unwrap();
                self.nodes[node].skew = TimeDelta::minutes(minutes);
            }
            Trouble::Takeover => self.take_over(node, 1_000),
            Trouble::Race => {
                let delay = self.chance.within(10, 500);
                for node in 0..NODES {
                    self.nodes[node].crash();
                    self.plan(delay, Event::Boot { node });
                }
            }
        }
    }
}
