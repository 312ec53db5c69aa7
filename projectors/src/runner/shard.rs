//! The runner of one shard: batch after batch, the next one folded while the last one commits.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use event_log::Cursor;
use futures_util::FutureExt;
use schemas::ids::{NameError, Stream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::context::Context;
use super::failure::{Failure, panicked};
use super::group::{Group, Prepared};
use super::parked::{Parked, Reading};
use super::{redrive, unit};
use crate::status::{Progress, State};
use crate::store::{self, Marks};

/// First and longest wait while Postgres is away.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Time between two looks at what stopped a projection or a whole shard: an operator may have repaired it.
const RECHECK: Duration = Duration::from_secs(30);
/// Time between two looks at whether parked letters shall be tried again.
const REDRIVE_EVERY: Duration = Duration::from_secs(1);
/// The state of a stored cursor that does not move.
const STOPPED: &str = "stopped";

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
    loop {
        let mut runner = Runner::new(Arc::clone(&context), shard);
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
        let failure = match ended {
            Ok(()) => return Ok(()),
            Err(Failure::Lost) => continue,
            Err(failure) => failure,
        };
        let wait = match &failure {
            Failure::Outage(_) => waits.next().unwrap_or(BACKOFF.1),
            _ if context.until_end => return Err(failure),
            _ => RECHECK,
        };
        runner.tell(&failure, wait).await;
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
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
    under_way: Option<AbortOnDropHandle<Result<Marks, Failure>>>,
    committed: bool,
}

impl Runner {
    fn new(context: Arc<Context>, shard: u16) -> Self {
        let (groups, stopped, marked) = (Vec::new(), Vec::new(), Vec::new());
        let redrive_at = Instant::now();
        let (recheck_at, under_way, committed) = (None, None, false);
        Self { context, shard, groups, stopped, marked, redrive_at, recheck_at, under_way, committed }
    }

    async fn follow(&mut self) -> Result<(), Failure> {
        self.groups = self.load().await?;
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
            match self.groups[lowest].prepare(&self.context, limit).await {
                Ok(Some(batch)) => {
                    self.settle().await?;
                    self.say_parked(&batch);
                    self.commit(batch);
                }
                Ok(None) => {
                    self.settle().await?;
                    self.resume().await?;
                    self.caught_up();
                    if !self.wait(&mut end).await? {
                        return Ok(());
                    }
                }
                Err(failure @ Failure::Overflow { .. }) => {
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
        self.show_parked();
        self.redrive_at = Instant::now() + REDRIVE_EVERY;
        Ok(())
    }

    fn show_parked(&self) {
        for reading in self.groups.iter().flat_map(|group| &group.units) {
            let labels = [("projection", reading.name().to_owned()), ("shard", self.shard.to_string())];
            #[expect(clippy::cast_precision_loss, reason = "2^53 letters are told closely enough")]
            metrics::gauge!("gesta_dead_letters", &labels).set(reading.parked.len() as f64);
        }
    }

    /// The projections by the cursor at which they stand.
    async fn load(&mut self) -> Result<Vec<Group>, Failure> {
        let context = &self.context;
        let units: Vec<_> = context
            .units
            .iter()
            .filter_map(|name| unit::unit(name, &context.budget, &context.depths))
            .collect();
        let names: Vec<_> = units.iter().flat_map(|unit| unit.names()).copied().collect();
        let start = Cursor::beginning(context.log.genesis(), self.shard);
        store::begin(&context.source.pool, context.generation, &names, &start).await?;
        let stored = store::stored(&context.source.pool, context.generation, self.shard).await?;
        let mut parked: HashMap<String, HashMap<Stream, usize>> = HashMap::new();
        for (name, stream, letters) in
            store::parked(&context.source.pool, context.generation, self.shard).await?
        {
            let unread = |error: NameError| Failure::Refused(sqlx::Error::Decode(error.into()));
            let stream: Stream = stream.parse().map_err(unread)?;
            parked.entry(name).or_default().insert(stream, usize::try_from(letters).unwrap_or(usize::MAX));
        }
        let mut by_cursor: BTreeMap<u64, (Cursor, Vec<Reading>)> = BTreeMap::new();
        for unit in units {
            let own = |name| stored.iter().find(|stored| stored.name == name).map(|stored| stored.cursor.0);
            let mut cursors = unit.names().iter().map(|name| own(*name));
            let cursor = cursors.next().flatten().unwrap_or(start);
            if cursors.any(|other| other != Some(cursor)) {
                return Err(Failure::Apart(unit.names()));
            }
            for &name in unit.names() {
                let stored = stored.iter().find(|stored| stored.name == name);
                self.marked.extend(stored.filter(|stored| stored.state == STOPPED).map(|_| name));
                let last = stored.and_then(|stored| stored.last_event_at);
                context.status.update(self.shard, &[name], |progress| {
                    progress.next_offset = cursor.next_offset;
                    progress.head_offset = context.log.end(self.shard).max(cursor.next_offset);
                    progress.last_event_at = last;
                });
            }
            let own = stored.iter().find(|stored| stored.name == unit.names()[0]);
            let version = own.map_or(0, |stored| stored.parked_version);
            let letters = parked.remove(unit.names()[0]).unwrap_or_default();
            let reading = Reading { unit, parked: Parked::new(version, letters) };
            by_cursor.entry(cursor.next_offset).or_insert_with(|| (cursor, Vec::new())).1.push(reading);
        }
        let mut groups = Vec::new();
        for (cursor, units) in by_cursor.into_values() {
            groups.push(Group::new(&context.log, units, cursor).await?);
        }
        Ok(groups)
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

    fn say_parked(&self, batch: &Prepared) {
        for letter in batch.letters.iter().filter(|letter| letter.cause.is_some()) {
            let (projection, stream, offset) = (letter.projection, &letter.stream, letter.position.offset);
            let cause = letter.cause.as_ref().map(|(_, error)| error.as_str());
            tracing::error!(shard = self.shard, projection, %stream, offset, cause, "an event is parked as a dead letter");
        }
        if !batch.letters.is_empty() {
            self.show_parked();
        }
    }

    fn commit(&mut self, batch: Prepared) {
        let context = Arc::clone(&self.context);
        let task = tokio::spawn(async move { context.commit(batch).await });
        self.under_way = Some(AbortOnDropHandle::new(task));
    }

    /// Waits for the batch that is under way.
    async fn settle(&mut self) -> Result<(), Failure> {
        let Some(task) = self.under_way.take() else { return Ok(()) };
        let marks = match task.await {
            Ok(done) => done?,
            Err(error) => return Err(Failure::Panicked(error.to_string())),
        };
        self.committed = true;
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

    /// Records at the end that do not count leave no lag.
    fn caught_up(&self) {
        for group in &self.groups {
            let reached = group.reached();
            self.context.status.update(self.shard, &group.names(), |progress| {
                progress.head_offset = progress.next_offset.max(self.context.log.end(self.shard));
                if reached >= progress.head_offset {
                    progress.head_offset = progress.next_offset;
                }
                progress.state = State::Running;
            });
        }
        self.context.status.committed();
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

    /// Stops the projection that may park no more, before the event; the others go on.
    async fn stop(&mut self, group: usize, failure: Failure) -> Result<(), Failure> {
        let Failure::Overflow { projection, .. } = &failure else { return Err(failure) };
        let group = &mut self.groups[group];
        let units = std::mem::take(&mut group.units);
        let full = |reading: &Reading| reading.name() == *projection;
        let (stopped, on): (Vec<_>, Vec<_>) = units.into_iter().partition(full);
        group.units = on;
        let cursor = group.cursor;
        let names: Vec<_> = stopped.iter().flat_map(|reading| reading.unit.names()).copied().collect();
        self.groups.retain(|group| !group.units.is_empty());
        self.stopped.extend(&names);
        self.recheck_at = Some(Instant::now() + RECHECK);
        self.say_stopped(&names, &failure);
        self.mark_stopped(&names, &cursor, &failure.to_string()).await
    }

    fn say_stopped(&self, names: &[&'static str], error: &Failure) {
        tracing::error!(shard = self.shard, projections = ?names, %error, "projections stopped; nothing is skipped");
    }

    async fn mark_stopped(&self, names: &[&'static str], at: &Cursor, error: &str) -> Result<(), Failure> {
        let head = self.context.log.end(self.shard).max(at.next_offset);
        self.context.status.update(self.shard, names, |progress| {
            progress.head_offset = head;
            progress.state = State::Stopped(error.to_owned());
        });
        Ok(store::stop(&self.context.source.pool, self.context.generation, names, at, head, error).await?)
    }

    fn names(&self) -> Vec<&'static str> {
        self.context.units.iter().flat_map(|name| unit::names(name)).copied().collect()
    }

    /// Makes visible why nothing is applied.
    async fn tell(&self, failure: &Failure, wait: Duration) {
        let (names, error) = (self.names(), failure.to_string());
        let head = |progress: &Progress| self.context.log.end(self.shard).max(progress.next_offset);
        if matches!(failure, Failure::Outage(_)) {
            tracing::warn!(shard = self.shard, error, ?wait, "projections wait");
            self.context.status.update(self.shard, &names, |progress| {
                progress.head_offset = head(progress);
                progress.state = State::Paused(error.clone());
            });
            return;
        }
        self.context.status.update(self.shard, &names, |progress| {
            progress.head_offset = head(progress);
            progress.state = State::Stopped(error.clone());
        });
        self.say_stopped(&names, failure);
        if let Err(problem) = self.mark_all_stopped(&error).await {
            tracing::error!(%problem, "that projections are stopped could not be written");
        }
    }

    async fn mark_all_stopped(&self, error: &str) -> Result<(), Failure> {
        let context = &self.context;
        for stored in store::stored(&context.source.pool, context.generation, self.shard).await? {
            let name = self.names().into_iter().find(|name| *name == stored.name);
            let names: Vec<_> = name.into_iter().collect();
            self.mark_stopped(&names, &stored.cursor.0, error).await?;
        }
        Ok(())
    }
}
