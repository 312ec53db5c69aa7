//! Waiting for what comes by itself: a condition with a deadline, never a fixed time.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take to come true; generous, since it is met as soon as it holds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Asks again and again until `found` accepts what `ask` gives; that is the result.
pub(crate) async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F, found: impl Fn(&T) -> bool) -> T
where
    T: Debug,
    F: Future<Output = T>,
{
    let patience = Instant::now() + PATIENCE;
    loop {
        let seen = ask().await;
        if found(&seen) {
            return seen;
        }
        assert!(
            Instant::now() < patience,
            "{what} did not come within {PATIENCE:?}; the last answer: {seen:#?}"
        );
        tokio::time::sleep(LOOK).await;
    }
}
