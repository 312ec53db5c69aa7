//! The breadth breaker: a projection that fails on many streams at once does not meet that many poisonous
//! events, something is wrong with it or with its store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemas::ids::Stream;
use tokio::time::Instant;

use super::failure::Class;

/// So many different streams, failing alike, are an outage.
pub(crate) const STREAMS: usize = 5;
/// Time within which they fail.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);

/// What failed lately, by projection, in all shards together.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<HashMap<&'static str, Recent>>);

#[derive(Debug, Default)]
struct Recent {
    failures: VecDeque<(Instant, Class, Stream)>,
    is_open: bool,
}

impl Breaker {
    /// An event of the stream was found to fail. `true`: it counts as an outage, and must not be parked.
    pub(crate) fn failed(
        &self,
        projection: &'static str,
        class: Class,
        stream: &Stream,
        now: Instant,
    ) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = all.entry(projection).or_default();
        recent.failures.retain(|(at, _, failed)| now.duration_since(*at) < WITHIN && failed != stream);
        recent.failures.push_back((now, class, stream.clone()));
        let alike = recent.failures.iter().filter(|(_, other, _)| *other == class).count();
        if alike >= STREAMS && !recent.is_open {
            recent.is_open = true;
            show(projection, true);
        }
        recent.is_open
    }

    /// An event was applied, or could be: what failed is poison.
    pub(crate) fn succeeded(&self, projection: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.remove(projection).is_some_and(|recent| recent.is_open) {
            show(projection, false);
        }
    }
}

fn show(projection: &'static str, is_open: bool) {
    metrics::gauge!("gesta_dead_letter_breaker_open", "projection" => projection)
        .set(f64::from(u8::from(is_open)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::ids::{AggregateId, Route, Tenant};

    fn stream(n: usize) -> Stream {
        let tenant = Tenant::new("acme").unwrap();
        Stream::of(&tenant, "task", AggregateId::derive(&tenant, "task", Route(7), &n.to_string()))
    }

    /// PLAT-13: five streams that fail alike within ten seconds; not four, not one five times, not two
    /// classes, not slowly; one success ends it.
    #[test]
    fn many_streams_at_once_are_an_outage() {
        let (breaker, begin) = (Breaker::default(), Instant::now());
        let failed = |n, class, seconds| {
            breaker.failed("task_list", class, &stream(n), begin + Duration::from_secs(seconds))
        };
        assert!((0..4).all(|n| !failed(n, Class::Permanent, 0)));
        assert!((0..4).all(|_| !failed(3, Class::Permanent, 1)), "one stream counts once");
        assert!(!failed(4, Class::Unclear, 1), "another class");
        assert!(!failed(5, Class::Permanent, 10), "those of the beginning are too long ago");
        breaker.succeeded("task_list");
        assert!((0..4).all(|n| !failed(n, Class::Unclear, 20)));
        assert!(failed(4, Class::Unclear, 29));
        assert!(failed(4, Class::Unclear, 500), "open until something succeeds");
        assert!(!breaker.failed("agent_list", Class::Unclear, &stream(9), begin), "another projection");
        breaker.succeeded("task_list");
        assert!(!failed(4, Class::Unclear, 501));
    }
}
