//! The runner of one shard: batch after batch, the next one folded while the last one commits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::begin::{Begun, begin};
use super::bisect::{Suspects, Take};
use super::context::Context;
use super::failure::{Failure, panicked};
use super::group::{Group, Prepared};
use super::parked::Reading;
use super::redrive;
use super::report::Report;
use crate::status::State;
use crate::store::{self, Marks};

/// First and longest wait while Postgres is away.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Time between two looks at what stopped a projection or a whole shard: an operator may have repaired it.
const RECHECK: Duration = Duration::from_secs(30);
/// Time between two looks at whether parked letters shall be tried again.
const REDRIVE_EVERY: Duration = Duration::from_secs(1);
/// Time between two probes of a projection that fails on many streams.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Runs one shard until it is cancelled, or to the end of the log when that is asked for.
///
/// # Errors
/// Only when the run is to the end: what stopped it.
pub(crate) async fn run(context: Arc<Context>, shard: u16, cancel: CancellationToken) -> Result<(), Failure> {
    let backoff = || {
        let (first, longest) = BACKOFF;
        ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(longest)
            .without_max_times()
            .with_jitter()
            .build()
    };
    let mut waits = backoff();
    let mut suspects = Suspects::default();
    loop {
        let mut runner = Runner::new(Arc::clone(&context), shard, suspects);
        let ended = tokio::select! {
            () = cancel.cancelled() => {
                // What is being written is not torn down; should it fail, the log repeats it.
                runner.settle().await.ok();
                return Ok(());
            }
            ended = AssertUnwindSafe(runner.follow()).catch_unwind() => ended.unwrap_or_else(|panic| Err(panicked(&*panic))),
        };
        if runner.committed {
            waits = backoff();
        }
        suspects = runner.suspects;
        let failure = match ended {
            Ok(()) => return Ok(()),
            Err(Failure::Lost) => continue,
            Err(failure) => failure,
        };
        if failure.class().is_some() && suspects.failed(runner.failing()) {
            tracing::warn!(shard, error = %failure, ?suspects, "a batch failed; its poisonous event is searched");
            continue;
        }
        let wait = match &failure {
            failure if failure.is_waited_out() => waits.next().unwrap_or(BACKOFF.1),
            _ if context.until_end => return Err(failure),
            _ => RECHECK,
        };
        runner.report().halted(&failure, wait).await;
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// A batch that is being written.
struct UnderWay {
    task: AbortOnDropHandle<Result<Marks, Failure>>,
    commits: usize,
    has_poison: bool,
}

struct Runner {
    context: Arc<Context>,
    shard: u16,
    groups: Vec<Group>,
    /// Stopped: they may park no more. They are tried again after a while: letters may have been applied.
    stopped: Vec<&'static str>,
    /// Stored as stopped by an earlier runner.
    marked: Vec<&'static str>,
    /// When to look at the letters that are to be tried again.
    redrive_at: Instant,
    recheck_at: Option<Instant>,
    under_way: Option<UnderWay>,
    committed: bool,
    /// Where a failing event is searched.
    suspects: Suspects,
    /// Commits of the batch that was not written.
    unwritten: Option<usize>,
}

impl Runner {
    fn new(context: Arc<Context>, shard: u16, suspects: Suspects) -> Self {
        let (groups, stopped, marked) = (Vec::new(), Vec::new(), Vec::new());
        let redrive_at = Instant::now();
        let (recheck_at, under_way, committed, unwritten) = (None, None, false, None);
        Self {
            context,
            shard,
            groups,
            stopped,
            marked,
            redrive_at,
            recheck_at,
            under_way,
            committed,
            suspects,
            unwritten,
        }
    }

    fn report(&self) -> Report<'_> {
        Report { context: &self.context, shard: self.shard }
    }

    /// Commits of the batch that failed.
    fn failing(&self) -> usize {
        self.unwritten.unwrap_or_else(|| self.groups.first().map_or(1, |group| group.taken))
    }

    async fn follow(&mut self) -> Result<(), Failure> {
        let Begun { groups, marked } = begin(&self.context, self.shard).await?;
        (self.groups, self.marked) = (groups, marked);
        self.report().parked(&self.groups);
        let mut end = self.context.log.watch(self.shard);
        loop {
            let head = *end.borrow_and_update();
            self.context.status.update(self.shard, &self.stopped, |progress| progress.head_offset = head);
            if self.recheck_at.is_some_and(|at| at <= Instant::now()) {
                self.settle().await?;
                return Err(Failure::Lost);
            }
            self.redrive().await?;
            self.merge();
            let Some((lowest, limit)) = self.lowest() else {
                if !self.wait(&mut end).await? {
                    return Ok(());
                }
                continue;
            };
            match self.groups[lowest].prepare(&self.context, limit, self.suspects.take()).await {
                Ok(Some(batch)) => {
                    self.settle().await?;
                    self.report().poison(&batch);
                    self.commit(batch);
                    if self.suspects.take() != Take::All {
                        self.settle().await?;
                    }
                }
                Ok(None) => {
                    self.settle().await?;
                    self.resume().await?;
                    self.report().caught_up(&self.groups);
                    if !self.wait(&mut end).await? {
                        return Ok(());
                    }
                }
                Err(failure @ (Failure::Overflow { .. } | Failure::Broad { .. })) => {
                    self.settle().await?;
                    self.stop(lowest, failure).await?;
                }
                Err(failure) => {
                    // What is under way may still succeed; it is not to be torn down for the next one's sake.
                    self.settle().await?;
                    return Err(failure);
                }
            }
        }
    }

    /// Whether something is parked that may be tried again.
    fn is_parked(&self) -> bool {
        let parked = |group: &Group| group.units.iter().any(|reading| !reading.parked.is_empty());
        !self.context.until_end && self.groups.iter().any(parked)
    }

    /// Tries what is to be tried again, now and then, when nothing is under way.
    async fn redrive(&mut self) -> Result<(), Failure> {
        if !self.is_parked() || Instant::now() < self.redrive_at {
            return Ok(());
        }
        self.settle().await?;
        redrive::due(&self.context, self.shard, &mut self.groups).await?;
        self.report().parked(&self.groups);
        self.redrive_at = Instant::now() + REDRIVE_EVERY;
        Ok(())
    }

    /// Groups that met go on together.
    fn merge(&mut self) {
        self.groups.sort_by_key(|group| group.cursor.next_offset);
        let mut merged: Vec<Group> = Vec::with_capacity(self.groups.len());
        for group in self.groups.drain(..) {
            match merged.last_mut() {
                Some(last) if last.cursor == group.cursor => last.units.extend(group.units),
                _ => merged.push(group),
            }
        }
        self.groups = merged;
    }

    /// The group that is furthest behind, and the offset at which it meets the next.
    fn lowest(&self) -> Option<(usize, Option<u64>)> {
        let limit = self.groups.get(1).map(|group| group.cursor.next_offset);
        (!self.groups.is_empty()).then_some((0, limit))
    }

    fn commit(&mut self, batch: Prepared) {
        let context = Arc::clone(&self.context);
        let (commits, has_poison) =
            (batch.commits, batch.letters.iter().any(|letter| letter.cause.is_some()));
        let task = AbortOnDropHandle::new(tokio::spawn(async move { context.commit(batch).await }));
        self.under_way = Some(UnderWay { task, commits, has_poison });
    }

    /// Waits for the batch that is under way.
    async fn settle(&mut self) -> Result<(), Failure> {
        let Some(UnderWay { task, commits, has_poison }) = self.under_way.take() else { return Ok(()) };
        self.unwritten = Some(commits);
        let marks = match task.await {
            Ok(done) => done?,
            Err(error) => return Err(Failure::Panicked(error.to_string())),
        };
        self.unwritten = None;
        self.committed = true;
        self.suspects.cleared(commits, has_poison);
        self.context.status.update(self.shard, &marks.names, |progress| {
            progress.next_offset = marks.new.next_offset;
            progress.head_offset = marks.head;
            progress.last_event_at = marks.last_at.or(progress.last_event_at);
            progress.state = State::Running;
        });
        self.context.status.committed();
        Ok(())
    }

    /// Whoever stands at the end without a batch goes on too; a batch says so by itself.
    async fn resume(&mut self) -> Result<(), Failure> {
        let marked = std::mem::take(&mut self.marked);
        for group in self.groups.iter().filter(|_| !marked.is_empty()) {
            let names: Vec<_> = group.names().into_iter().filter(|name| marked.contains(name)).collect();
            let (pool, generation) = (&self.context.source.pool, self.context.generation);
            store::resume(pool, generation, &names, &group.cursor).await?;
        }
        Ok(())
    }

    /// Waits for more; `false` when the run ends here.
    async fn wait(&self, end: &mut watch::Receiver<u64>) -> Result<bool, Failure> {
        if self.context.until_end {
            return Ok(false);
        }
        let looks = self.is_parked() || self.recheck_at.is_some();
        tokio::select! {
            changed = end.changed() => {
                // Without the log's writing half nothing will come; the run ends when it is cancelled.
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            () = tokio::time::sleep(REDRIVE_EVERY), if looks => {}
        }
        Ok(true)
    }

    /// Stops the projection that may not park the event, before it; the others go on.
    async fn stop(&mut self, group: usize, failure: Failure) -> Result<(), Failure> {
        let (projection, recheck) = match &failure {
            Failure::Overflow { projection, .. } => (projection, RECHECK),
            Failure::Broad { projection, .. } => (projection, PROBE_EVERY),
            _ => return Err(failure),
        };
        let group = &mut self.groups[group];
        let units = std::mem::take(&mut group.units);
        let full = |reading: &Reading| reading.name() == *projection;
        let (stopped, on): (Vec<_>, Vec<_>) = units.into_iter().partition(full);
        group.units = on;
        let cursor = group.cursor;
        let names: Vec<_> = stopped.iter().flat_map(|reading| reading.unit.names()).copied().collect();
        self.groups.retain(|group| !group.units.is_empty());
        self.stopped.extend(&names);
        let at = Instant::now() + recheck;
        self.recheck_at = Some(self.recheck_at.map_or(at, |other| other.min(at)));
        self.report().stopped(&names, &cursor, &failure).await
    }
}
