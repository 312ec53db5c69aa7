//! Finding the one event that makes a batch fail: the batch is halved until a commit stands alone, then the
//! events of that commit are tried on what is stored, each projection by itself.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::context::Context;
use super::failure::{Class, Failure, panicked};
use super::parked::{Cause, cut};
use super::unit;
use crate::event::Event;

/// Immediate tries of an event that may fail for another reason than itself.
const ATTEMPTS: i32 = 3;

/// What the next batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// All there is, within the limits of a batch.
    All,
    /// So many commits.
    First(usize),
    /// One commit, each event tried before.
    Alone,
}

/// How many commits the failing one is among, from the cursor on; none when nothing fails.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Suspects(Option<usize>);

impl Suspects {
    pub(crate) fn take(self) -> Take {
        match self.0 {
            None => Take::All,
            Some(0 | 1) => Take::Alone,
            Some(commits) => Take::First(commits / 2),
        }
    }

    /// A batch of so many commits failed. `false`: it was a single one and was searched already.
    pub(crate) fn failed(&mut self, commits: usize) -> bool {
        let goes_on = self.take() != Take::Alone;
        self.0 = Some(if goes_on { commits.max(1) } else { 1 });
        goes_on
    }

    /// A batch of so many commits was applied, and parked poison or not: where one is, more may follow.
    pub(crate) fn cleared(&mut self, commits: usize, has_poison: bool) {
        let left = self.0.map(|all| all.saturating_sub(commits)).filter(|left| *left > 0);
        self.0 = if has_poison && self.0.is_some() { Some(1) } else { left };
    }
}

/// Folds events into what is stored, writes the rows and takes them back; gives how many there were.
/// The failure of an event is a value; any other is an error.
pub(crate) async fn trial(
    context: &Context,
    name: &'static str,
    events: &[Event],
) -> Result<Result<usize, Failure>, Failure> {
    match folded(context, name, events).await {
        Err(failure) if failure.class().is_none() => Err(failure),
        outcome => Ok(outcome),
    }
}

async fn folded(context: &Context, name: &'static str, events: &[Event]) -> Result<usize, Failure> {
    let mut unit = unit::unit(name, &context.budget, None).expect("the name is one of the run's");
    let fold = AssertUnwindSafe(unit.fold(&context.source, events)).catch_unwind().await;
    let writes = fold.unwrap_or_else(|panic| Err(panicked(&*panic)))?;
    let _permit = context.writers.acquire().await.expect("nobody closes it");
    let mut tx = migrations::begin(&context.source.pool, "BEGIN").await?;
    let mut written = Ok(());
    for rows in writes.iter().filter(|rows| rows.len() > 0) {
        written = rows.write(&mut tx, &context.source.schema).await;
        if written.is_err() {
            break;
        }
    }
    tx.rollback().await?;
    Ok(written.map(|()| writes.iter().map(|rows| rows.len()).sum())?)
}

/// The first event that a projection cannot apply, by its index, and why; `None` when it can apply all.
/// The rows must stand where the events begin.
///
/// # Errors
/// A failure that no event is the reason of.
pub(crate) async fn culprit(
    context: &Context,
    name: &'static str,
    events: &[Event],
) -> Result<Option<(usize, Cause)>, Failure> {
    let (mut good, mut bad) = (0, events.len());
    let Err(mut failure) = trial(context, name, events).await? else { return Ok(None) };
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match trial(context, name, &events[..middle]).await? {
            Ok(_) => good = middle,
            Err(again) => (bad, failure) = (middle, again),
        }
    }
    let mut attempts = 1;
    while failure.class() == Some(Class::Unclear) && attempts < ATTEMPTS {
        attempts += 1;
        match trial(context, name, &events[..bad]).await? {
            Ok(_) => return Ok(None),
            Err(again) => failure = again,
        }
    }
    let class = failure.class().unwrap_or(Class::Unclear);
    Ok(Some((bad - 1, Cause { stage: failure.stage(), error: cut(failure.to_string()), attempts, class })))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 1,000 commits, the one that fails is tried alone after ten halvings, whichever it is.
    #[test]
    fn a_batch_is_halved_until_one_commit_stands_alone() {
        for poison in [0, 1, 499, 500, 998, 999] {
            let (mut suspects, mut at) = (Suspects::default(), 0);
            assert!(suspects.failed(1_000));
            let mut tries = 0;
            loop {
                tries += 1;
                let taken = match suspects.take() {
                    Take::First(commits) => commits,
                    Take::Alone => break,
                    Take::All => panic!("the search ended without the commit"),
                };
                if (at..at + taken).contains(&poison) {
                    assert!(suspects.failed(taken));
                } else {
                    at += taken;
                    suspects.cleared(taken, false);
                }
            }
            assert_eq!(at, poison);
            assert!(tries <= 11, "{tries} batches");
            assert!(!suspects.failed(1), "it was searched already");
            suspects.cleared(1, true);
            assert_eq!(suspects.take(), Take::Alone, "the next may be one too");
            suspects.cleared(1, false);
            assert_eq!(suspects.take(), Take::All);
        }
    }
}
