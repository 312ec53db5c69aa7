//! Shard time: the wall clock at the claim, advanced by the boot-time clock, which runs on while the
//! machine sleeps and never jumps (log.md §5).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustix::time::{ClockId, clock_gettime};

/// The time of one shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    base: DateTime<Utc>,
    since: Duration,
}

fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let now = clock_gettime(ClockId::Boottime);
    #[cfg(not(target_os = "linux"))]
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// When the machine was started, by the wall clock: another time once that clock was set.
pub(super) fn booted() -> DateTime<Utc> {
    let now = Utc::now();
    TimeDelta::from_std(since_boot()).map_or(now, |since| now - since)
}

impl Clock {
    /// Begins with the wall clock.
    pub(super) fn start() -> Self {
        Self { base: Utc::now(), since: since_boot() }
    }

    /// Begins anew at a claim: with the wall clock, or with `last`, the time of the shard's last
    /// record, if that is later.
    pub(super) fn claimed(last: Option<DateTime<Utc>>) -> Self {
        let now = Utc::now();
        Self { base: last.map_or(now, |last| now.max(last)), since: since_boot() }
    }

    /// Shard time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(since_boot().saturating_sub(self.since));
        passed.map_or(self.base, |passed| self.base + passed)
    }

    /// How long it is until `at`; zero when it is past.
    pub(super) fn until(&self, at: DateTime<Utc>) -> Duration {
        (at - self.now()).to_std().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLAT-11: a wall clock behind the log cannot take shard time back.
    #[test]
    fn time_begins_at_the_last_record_when_the_wall_clock_is_behind_it() {
        let ahead = Utc::now() + TimeDelta::hours(1);
        let clock = Clock::claimed(Some(ahead));
        assert!(clock.now() >= ahead && clock.now() < ahead + TimeDelta::minutes(1));
        assert!(Clock::claimed(None).now() < ahead);
    }
}
