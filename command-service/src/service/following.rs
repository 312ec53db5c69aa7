//! Where several processes share a log: reading what the owner writes, knowing who that is, and claiming
//! when this process should own the shard.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event_log::{Content, Counted, Cursor, Hint, Log, ReadError, Reader, Start};
use tokio::time::Instant;

use super::clock;
use super::driver::Driver;
use crate::shard::{Input, Status};

/// Counted records read at a time.
const READ_RECORDS: usize = 1_000;
/// A shard that is further from its end is not claimed.
pub(super) const NEAR_RECORDS: u64 = 10_000;
/// First and longest wait after a claim that did not count.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// How long an owner that another one replaced waits to hear which of them is meant; two heartbeats.
const FENCED_PAUSE: Duration = Duration::from_secs(1);

/// A wall clock that moved by this much against the one that runs from boot was set.
const CLOCK_SET: TimeDelta = TimeDelta::seconds(1);

/// What was read, with the reader for more; nothing at the end.
pub(super) type ReadOn = Result<(Reader, Vec<Counted>), ReadError>;

/// What a driver knows of the others.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// Where the owner is reached, as its claim says.
    pub(super) owner: Arc<str>,
    /// Every record below was read, void ones too.
    pub(super) read_to: u64,
    /// When to claim.
    pub(super) claim_at: Option<Instant>,
    /// This process shall own nothing any more.
    pub(super) released: bool,
    /// When the machine was started by the clock that was found to be wrong.
    distrusted: Option<DateTime<Utc>>,
    reader: Option<Reader>,
    /// Time of the last commit.
    last_at: Option<DateTime<Utc>>,
    looked: Option<Instant>,
}

impl Driver {
    /// Looks up who owns the shard where the store stands.
    pub(super) async fn find_owner(&mut self) {
        if self.settings.exclusive {
            return;
        }
        self.running.following.last_at = Some(self.shard.now()).filter(|at| *at > DateTime::UNIX_EPOCH);
        let cursor = *self.shard.cursor();
        match self.log.owner(&cursor).await {
            Ok(claim) => self.running.following.owner = claim.unwrap_or_default().address.into(),
            Err(error) => self.step(Input::Damaged(error.to_string())),
        }
    }

    /// Does what is said of the shard.
    pub(super) fn heed(&mut self) {
        if self.running.ends.is_some() {
            return;
        }
        let said = *self.hint.borrow_and_update();
        let following = &mut self.running.following;
        following.distrusted =
            following.distrusted.filter(|booted| (clock::booted() - booted).abs() < CLOCK_SET);
        let kept_away = following.released || following.distrusted.is_some();
        let hint = if kept_away { Hint::Away } else { said };
        match (hint, self.shard.status()) {
            (Hint::Assigned, Status::Following) if self.is_near() => {
                self.membership.hold(self.number, true);
                self.step(Input::Lead);
            }
            (Hint::Away, Status::Owner | Status::Claiming) => self.step(Input::Revoke),
            (Hint::Lost, Status::Owner | Status::Claiming | Status::Draining) => {
                self.step(Input::Lost);
                // Its report would be taken for that of a later ownership.
                self.running.append = None;
            }
            _ => {}
        }
        if matches!(self.shard.status(), Status::Following | Status::Stopped(_)) {
            self.running.following.claim_at = None;
            self.running.claim = None;
            self.membership.hold(self.number, false);
        }
    }

    fn is_near(&self) -> bool {
        let read = self.running.following.read_to.max(self.shard.cursor().next_offset);
        self.settings.exclusive || self.log.end(self.number).saturating_sub(read) <= NEAR_RECORDS
    }

    /// Claims after a wait: none before the first claim, then 0.2 to 2 s with jitter, so that two claimers part.
    pub(super) fn claim_later(&mut self, failures: u32) {
        self.running.following.claim_at = Some(Instant::now() + back_off(failures));
    }

    pub(super) fn begin_claim(&mut self) {
        let due = self.running.following.claim_at.is_some_and(|at| at <= Instant::now());
        if !due || self.running.claim.is_some() || self.shard.status() != Status::Claiming {
            return;
        }
        self.running.following.claim_at = None;
        // The claim reads on by itself, and the shard must not get ahead of it.
        self.running.read = None;
        let (log, cursor, address) = (self.log.clone(), *self.shard.cursor(), Arc::clone(&self.address));
        let last_at = self.running.following.last_at;
        self.running.claim = Some(Box::pin(async move { log.claim_after(&cursor, last_at, &address).await }));
    }

    /// Begins to wait for what others write, unless this process owns the shard. Even then it looks from time to
    /// time whether another one does.
    pub(super) fn read_on(&mut self) {
        if self.settings.exclusive || self.running.read.is_some() || self.running.claim.is_some() {
            return;
        }
        let wanted = match self.shard.status() {
            Status::Following | Status::Claiming => true,
            Status::Owner => self.is_look_due(),
            Status::Draining | Status::Stopped(_) => false,
        };
        if !wanted {
            return;
        }
        let cursor = *self.shard.cursor();
        let reader = self.running.following.reader.take();
        let reader = reader.filter(|reader| reader.cursor().last_counted == cursor.last_counted);
        let (log, known) = (self.log.clone(), self.running.following.read_to);
        self.running.read = Some(Box::pin(read_on(log, cursor, reader, known)));
    }

    /// Whether records stand in the log that this owner did not write, as far as one can see.
    fn is_look_due(&mut self) -> bool {
        let following = &mut self.running.following;
        let due = following.looked.is_none_or(|looked| looked.elapsed() >= FENCED_PAUSE / 2);
        if !due || self.running.append.is_some() || !self.shard.is_idle() {
            return false;
        }
        following.looked = Some(Instant::now());
        self.log.end(self.number) > self.shard.cursor().next_offset.max(following.read_to)
    }

    pub(super) fn take_read(&mut self, read: ReadOn) {
        let (reader, records) = match read {
            Ok(read) => read,
            Err(error) => return self.step(Input::Damaged(error.to_string())),
        };
        self.running.following.read_to = reader.cursor().next_offset;
        match self.shard.status() {
            Status::Following | Status::Claiming => {
                self.feed(records.into_iter());
                self.running.following.reader = Some(reader);
            }
            Status::Owner if reader.cursor().epoch > self.shard.cursor().epoch => {
                tracing::warn!(shard = self.number, "another process claimed the shard");
                self.step(Input::Fenced);
            }
            Status::Owner | Status::Draining | Status::Stopped(_) => {}
        }
    }

    /// Takes counted records, in order.
    pub(super) fn feed(&mut self, records: impl Iterator<Item = Counted>) {
        for record in records {
            match &record.content {
                Content::Claim(claim) if !self.settings.exclusive => {
                    self.running.following.owner = claim.address.as_str().into();
                    if self.running.following.claim_at.is_some() && *claim.address != *self.address {
                        self.running.following.claim_at = Some(Instant::now() + FENCED_PAUSE);
                    }
                }
                Content::Commit(commit) => self.running.following.last_at = Some(commit.at),
                Content::Claim(_) | Content::Genesis(_) | Content::Barrier => {}
            }
            self.step(Input::Counted(Box::new(record)));
        }
    }

    /// A process whose clock is not that of the log must not say when leases end; others shall own its shards.
    pub(super) fn distrust_clock(&mut self, difference: TimeDelta) {
        let seconds = difference.num_seconds();
        tracing::error!(
            shard = self.number,
            seconds,
            "this machine's clock differs from the brokers'; this process owns no shard until the clock is set"
        );
        self.running.following.distrusted = Some(clock::booted());
        self.step(Input::Revoke);
    }

    pub(super) fn trusts_clock(&self) -> bool {
        self.running.following.distrusted.is_none()
    }
}

/// The next counted records, once there are some; or none, once when the end was reached.
async fn read_on(log: Log, cursor: Cursor, reader: Option<Reader>, known: u64) -> ReadOn {
    let start = match cursor.last_counted {
        None => Start::Beginning(cursor.shard),
        Some(_) => Start::Cursor(cursor),
    };
    let mut reader = match reader {
        Some(reader) => reader,
        None => log.reader(start).await?,
    };
    let mut end = log.watch(cursor.shard);
    loop {
        end.borrow_and_update();
        let records = reader.next(READ_RECORDS).await?;
        if !records.is_empty() || reader.cursor().next_offset > known {
            return Ok((reader, records));
        }
        if end.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn back_off(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let (first, longest) = BACK_OFF;
    let wait = first.saturating_mul(1 << failures.min(8).saturating_sub(1)).min(longest);
    let jitter = uuid::Uuid::new_v4().as_u128() % 1_000;
    let share = u32::try_from(jitter).unwrap_or(0);
    wait / 2 + wait / 2 * share / 1_000
}
