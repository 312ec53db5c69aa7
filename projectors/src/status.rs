//! How far the projections of this process are, for readiness, metrics and waits within the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// What a projection of one shard is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has not applied anything yet.
    Starting,
    /// It applies what comes.
    Running,
    /// Postgres is away; it goes on by itself when it is back.
    Paused(String),
    /// It cannot go on, and says why. Nothing after that is applied.
    Stopped(String),
}

/// One projection of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Projection.
    pub name: &'static str,
    /// Shard.
    pub shard: u16,
    /// Every record below this offset is in the rows.
    pub next_offset: u64,
    /// Next offset of the log.
    pub head_offset: u64,
    /// `at` of the last applied commit.
    pub last_event_at: Option<DateTime<Utc>>,
    /// What it is doing.
    pub state: State,
}

impl Progress {
    /// Records that are not applied yet.
    #[must_use]
    pub fn lag_records(&self) -> u64 {
        self.head_offset.saturating_sub(self.next_offset)
    }

    /// How far behind the rows are; zero when they lack nothing.
    #[must_use]
    pub fn lag(&self, now: DateTime<Utc>) -> TimeDelta {
        match self.last_event_at {
            Some(at) if self.lag_records() > 0 => now.signed_duration_since(at).max(TimeDelta::zero()),
            _ => TimeDelta::zero(),
        }
    }
}

/// A handle on the progress of one run. Clones show the same.
#[derive(Debug, Clone)]
pub struct Status {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    progress: Mutex<BTreeMap<(u16, &'static str), Progress>>,
    waiting: Mutex<Option<String>>,
    applied: watch::Sender<u64>,
}

impl Default for Status {
    fn default() -> Self {
        let waiting = Mutex::new(Some("the projections have not begun".to_owned()));
        let shared = Shared { progress: Mutex::default(), waiting, applied: watch::Sender::new(0) };
        Self { shared: Arc::new(shared) }
    }
}

impl Status {
    /// Every projection of every shard, by shard and name; empty until they begin.
    #[must_use]
    pub fn all(&self) -> Vec<Progress> {
        self.lock().values().cloned().collect()
    }

    /// The next offset of a projection in a shard.
    #[must_use]
    pub fn next_offset(&self, name: &str, shard: u16) -> Option<u64> {
        self.lock().values().find(|p| p.shard == shard && p.name == name).map(|p| p.next_offset)
    }

    /// Counts the batches that were committed; wakes whoever waits for an offset.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// Whether reads may be served: every projection of every shard has begun and none is paused or
    /// stopped.
    ///
    /// # Errors
    /// What is wrong, for the operator, one line per shard.
    pub fn ready(&self) -> Result<(), String> {
        if let Some(waiting) = lock(&self.shared.waiting).as_ref() {
            return Err(waiting.clone());
        }
        let problem = |p: &Progress| match &p.state {
            State::Paused(error) | State::Stopped(error) => {
                Some(format!("{} of shard {}: {error}", p.name, p.shard))
            }
            State::Starting => Some(format!("{} of shard {} has not begun", p.name, p.shard)),
            State::Running => None,
        };
        let problems: Vec<_> = self.lock().values().filter_map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    pub(crate) fn set_waiting(&self, waiting: String) {
        *lock(&self.shared.waiting) = Some(waiting);
    }

    /// The projections `names` begin in every shard. None of them counts as ready before it says so,
    /// even if its shard has not said anything yet.
    pub(crate) fn begin(&self, shards: u16, names: &[&'static str]) {
        for shard in 0..shards {
            self.update(shard, names, |_| {});
        }
        *lock(&self.shared.waiting) = None;
    }

    pub(crate) fn update(&self, shard: u16, names: &[&'static str], change: impl Fn(&mut Progress)) {
        let mut all = self.lock();
        for &name in names {
            let starting = || Progress {
                name,
                shard,
                next_offset: 0,
                head_offset: 0,
                last_event_at: None,
                state: State::Starting,
            };
            let progress = all.entry((shard, name)).or_insert_with(starting);
            change(progress);
            measure(progress);
        }
    }

    pub(crate) fn committed(&self) {
        self.shared.applied.send_modify(|batches| *batches += 1);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u16, &'static str), Progress>> {
        lock(&self.shared.progress)
    }
}

/// A panic elsewhere leaves these maps whole: every change of them is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn measure(progress: &Progress) {
    let labels = [("projection", progress.name.to_owned()), ("shard", progress.shard.to_string())];
    #[expect(clippy::cast_precision_loss, reason = "a lag of 2^53 records is told closely enough")]
    metrics::gauge!("gesta_projection_lag_records", &labels).set(progress.lag_records() as f64);
    let stopped = matches!(progress.state, State::Stopped(_));
    metrics::gauge!("gesta_projection_stopped", &labels).set(f64::from(u8::from(stopped)));
    let paused = matches!(progress.state, State::Paused(_));
    metrics::gauge!("gesta_projection_paused", &labels).set(f64::from(u8::from(paused)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ready is said only when every shard of the log has begun, not when none has spoken yet.
    #[test]
    fn ready_waits_for_every_shard() {
        let status = Status::default();
        assert!(status.ready().unwrap_err().contains("not begun"));
        status.set_waiting("waiting for Postgres".into());
        assert_eq!(status.ready().unwrap_err(), "waiting for Postgres");
        status.begin(2, &["task_list"]);
        for shard in 0..2 {
            let waited_for = format!("task_list of shard {shard} has not begun");
            assert!(status.ready().unwrap_err().contains(&waited_for), "{:?}", status.ready());
            status.update(shard, &["task_list"], |progress| progress.state = State::Running);
        }
        assert_eq!(status.ready(), Ok(()));
    }
}
