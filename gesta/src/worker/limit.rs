//! How fast a worker may take tasks.

use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// A token bucket: one token per claimed task.
#[derive(Debug)]
pub(super) struct Limit {
    bucket: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Limit {
    /// At most `tasks` per second, all of them at once if they come so.
    pub(super) fn per_second(tasks: u32) -> Self {
        let quota = Quota::per_second(NonZeroU32::new(tasks).unwrap_or(NonZeroU32::MIN));
        Self { bucket: RateLimiter::direct(quota), clock: DefaultClock::default() }
    }

    /// Waits until one task may be claimed, then takes as many tokens as there are, at most `wanted`.
    pub(super) async fn take(&self, wanted: u32) -> u32 {
        while let Err(not_yet) = self.bucket.check() {
            tokio::time::sleep(not_yet.wait_time_from(self.clock.now())).await;
        }
        let more = (1..wanted).take_while(|_| self.bucket.check().is_ok()).count();
        1 + u32::try_from(more).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TASK-15
    #[tokio::test]
    async fn no_more_tasks_than_the_limit_are_taken_at_once() {
        let limit = Limit::per_second(5);
        assert_eq!(limit.take(3).await, 3);
        assert_eq!(limit.take(3).await, 2, "the bucket held five");
        let sixth = tokio::time::timeout(std::time::Duration::ZERO, limit.take(1)).await;
        assert!(sixth.is_err(), "the sixth waits until the bucket holds a token again");
    }
}
