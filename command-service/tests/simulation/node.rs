//! A process that would own the shard: the real state machine, a clock, and nothing else.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use command_service::shard::{Checkpoint, Input, Memory, Output, Settings, Shard, Status};
use event_log::Cursor;
use event_log::memory::MemoryCore;
use schemas::upcast::Revisions;

use super::disk::Disk;

/// 2026-01-01T00:00:00Z, where virtual time begins.
const BEGINNING: i64 = 1_767_225_600_000;

pub(crate) fn instant(ms: u64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(BEGINNING + i64::try_from(ms).unwrap()).unwrap()
}

pub(crate) struct Node {
    /// None while it is down.
    pub(crate) shard: Option<Shard>,
    /// Counts restarts; what was meant for an earlier life is dropped.
    pub(crate) life: u32,
    /// How far its wall clock is off.
    pub(crate) skew: TimeDelta,
    base: DateTime<Utc>,
    since: u64,
    pub(crate) paused_until: u64,
    pub(crate) flush_planned: bool,
    /// When its timer rings.
    pub(crate) wake: Option<u64>,
    /// Claims that it began.
    pub(crate) claims: u32,
    pub(crate) exclusive: bool,
    /// Its state store, if it has one; it outlives a crash.
    pub(crate) disk: Option<Disk>,
    /// The checkpoint under way.
    saving: Option<Checkpoint>,
    /// Damage stopped it, and somebody is on the way.
    pub(crate) tended: bool,
    /// What its release writes.
    revisions: Arc<Revisions>,
}

impl Node {
    pub(crate) fn down(exclusive: bool, revisions: Revisions) -> Self {
        let base = instant(0);
        Self {
            shard: None,
            life: 0,
            skew: TimeDelta::zero(),
            base,
            since: 0,
            paused_until: 0,
            flush_planned: false,
            wake: None,
            claims: 0,
            exclusive,
            disk: None,
            saving: None,
            tended: false,
            revisions: Arc::new(revisions),
        }
    }

    pub(crate) fn boot(&mut self, now: u64, core: &MemoryCore) {
        self.life += 1;
        // So little memory that nearly everything comes from the store.
        let memory = Memory { streams: 2, commands: 2 };
        let (exclusive, revisions) = (self.exclusive, Arc::clone(&self.revisions));
        let settings = Settings { shard: 0, generation: 1, exclusive, memory, revisions };
        let beginning = Cursor::beginning(core.genesis(), 0);
        self.shard = Some(match &self.disk {
            None => Shard::new(settings, beginning),
            Some(disk) => {
                let (cursor, at) = disk.stand.unwrap_or((beginning, DateTime::UNIX_EPOCH));
                Shard::restored(settings, cursor, at, disk.marks().into_iter())
            }
        });
        (self.base, self.since) = (instant(now) + self.skew, now);
        (self.flush_planned, self.wake, self.saving, self.tended) = (false, None, None, false);
    }

    pub(crate) fn crash(&mut self) {
        self.life += 1;
        self.shard = None;
    }

    /// Shard time, as the service's clock has it.
    pub(crate) fn at(&self, now: u64) -> DateTime<Utc> {
        self.base + TimeDelta::milliseconds(i64::try_from(now - self.since).unwrap())
    }

    pub(crate) fn step(&mut self, now: u64, input: Input) -> Vec<Output> {
        let at = self.at(now);
        let Some(shard) = self.shard.as_mut() else { return Vec::new() };
        if let Some(disk) = &self.disk {
            for _ in 0..3 {
                let needs = shard.needs(at, &input);
                if needs.is_empty() {
                    break;
                }
                shard.step(at, Input::Loaded(Box::new(disk.load(needs))));
            }
        }
        shard.step(at, input)
    }

    /// Begins a checkpoint, or ends the one under way: it is written or not, and the shard hears that it
    /// is or believes that it is not.
    pub(crate) fn save(&mut self, written: bool, told: bool) {
        let (Some(shard), Some(disk)) = (&mut self.shard, &mut self.disk) else { return };
        let Some(checkpoint) = self.saving.take() else {
            self.saving = Some(shard.checkpoint());
            return;
        };
        if written {
            disk.save(&checkpoint);
        }
        if written && told {
            drop(shard.saved());
        } else {
            shard.not_saved(checkpoint);
        }
    }

    pub(crate) fn is_claiming(&self) -> bool {
        self.shard.as_ref().is_some_and(|shard| shard.status() == Status::Claiming)
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.shard.as_ref().is_some_and(|shard| shard.status() == Status::Owner)
    }

    /// Whether it believes to own the shard by the claim with this nonce.
    pub(crate) fn owns(&self, nonce: u128) -> bool {
        self.is_owner() && self.shard.as_ref().is_some_and(|shard| shard.cursor().nonce == nonce)
    }

    /// What stopped it, if anything did.
    pub(crate) fn stopped(&self) -> Option<String> {
        match self.shard.as_ref()?.status() {
            Status::Stopped(place) => Some(place),
            _ => None,
        }
    }

    /// Reads the log up to offset `end`, or to its end; from a place that it read before only if the
    /// log is still the same there.
    pub(crate) fn read(&mut self, now: u64, core: &MemoryCore, end: u64) -> Vec<Output> {
        let mut outputs = Vec::new();
        let cursor = self.shard.as_ref().map(|shard| *shard.cursor());
        if let Some(cursor) = cursor.filter(|cursor| cursor.last_counted.is_some())
            && let Err(error) = core.check(&cursor)
        {
            return self.step(now, Input::Damaged(error.to_string()));
        }
        while let Some(shard) = &self.shard {
            if !matches!(shard.status(), Status::Following | Status::Claiming) {
                break;
            }
            let cursor = *shard.cursor();
            let left = usize::try_from(end.min(core.end(0)).saturating_sub(cursor.next_offset)).unwrap();
            let (records, _) = core.read(&cursor, left).expect("a whole log");
            if left == 0 || records.is_empty() {
                break;
            }
            for record in records {
                outputs.extend(self.step(now, Input::Counted(Box::new(record))));
            }
        }
        outputs
    }

    /// Shard time begins anew at a claim.
    pub(crate) fn claimed(&mut self, now: u64, last: Option<DateTime<Utc>>) {
        let wall = instant(now) + self.skew;
        self.base = last.map_or(wall, |last| wall.max(last));
        self.since = now;
    }
}
