//! The task around one shard: it moves messages between the shard, the log, the clock and those who
//! wait, and decides nothing.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use event_log::{AppendError, ClaimError, Claimed, Hint, Log, Membership, Start};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::clock::Clock;
use super::following::{Following, ReadOn};
use super::meters::Meters;
use super::saving::{Saved, Saving};
use super::status::ShardStatus;
use super::wakeups::Wakeups;
use crate::command::{Answer, Submission};
use crate::shard::receipts::CommandKey;
use crate::shard::{AppendFailure, Asked, Claim, Input, Mode, Output, RequestId, Settings, Shard, Status};

/// Messages taken at a time before the next batch goes out.
const BURST: usize = 1_024;
/// Counted records read at a time.
const READ_RECORDS: usize = 1_000;
/// Longest sleep: the timer of the runtime does not run while the machine sleeps, shard time does.
const MAX_SLEEP: Duration = Duration::from_secs(5);
/// Longest sleep where other processes may claim: how soon an idle owner notices one that did.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a shard that shall end waits for the reports of what it sent.
const DRAIN: Duration = Duration::from_secs(2);

/// What the service sends to a shard's task.
pub(super) enum Message {
    /// A command.
    Ask {
        mode: Mode,
        key: CommandKey,
        submission: Box<Submission>,
        /// How long somebody waits for the answer.
        wait: Duration,
        reply: oneshot::Sender<Answer>,
    },
    /// Own the shard no longer, whatever is said; go on reading it.
    Release,
    /// End.
    Shutdown,
}

type Report = Result<Vec<u64>, AppendError>;
pub(super) type Waited<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What woke the task.
enum Event {
    Reported(Report),
    Claimed(Result<Claimed, ClaimError>),
    Saved(Saved),
    Read(ReadOn),
    Hinted,
    Messages,
    Woken,
}

pub(super) struct Driver {
    pub(super) number: u16,
    pub(super) log: Log,
    pub(super) address: Arc<str>,
    pub(super) hint: watch::Receiver<Hint>,
    pub(super) membership: Arc<Membership>,
    pub(super) shard: Shard,
    pub(super) inbox: mpsc::Receiver<Message>,
    pub(super) wakeups: Arc<Wakeups>,
    pub(super) status: watch::Sender<ShardStatus>,
    pub(super) settings: Settings,
    pub(super) saving: Option<Saving>,
    pub(super) running: Running,
}

/// What is under way.
pub(super) struct Running {
    pub(super) clock: Clock,
    meters: Meters,
    replies: HashMap<RequestId, oneshot::Sender<Answer>>,
    requests: RequestId,
    pub(super) append: Waited<Report>,
    pub(super) claim: Waited<Result<Claimed, ClaimError>>,
    save: Waited<Saved>,
    pub(super) read: Waited<ReadOn>,
    pub(super) following: Following,
    wake: Option<Instant>,
    pub(super) ends: Option<Instant>,
}

impl Running {
    pub(super) fn new(shard: u16) -> Self {
        Self {
            clock: Clock::start(),
            meters: Meters::of(shard),
            replies: HashMap::new(),
            requests: 0,
            append: None,
            claim: None,
            save: None,
            read: None,
            following: Following::default(),
            wake: None,
            ends: None,
        }
    }
}

impl Driver {
    /// Reads the shard, owns it, serves it, until the service ends.
    pub(super) async fn run(mut self) {
        self.restore().await;
        if self.settings.exclusive {
            self.catch_up(u64::MAX).await;
        }
        self.find_owner().await;
        let mut messages = Vec::with_capacity(BURST);
        loop {
            self.heed();
            self.begin_claim();
            self.read_on();
            self.step(Input::Flush);
            self.show();
            let ended = self.running.ends.is_some_and(|ends| self.shard.is_idle() || ends <= Instant::now());
            if ended {
                return self.save_last().await;
            }
            if self.running.save.is_none() && self.save_is_due() {
                self.running.save = Some(Box::pin(self.save()));
            }
            match self.event(&mut messages).await {
                Event::Reported(report) => self.reported(report),
                Event::Claimed(claimed) => self.claimed(claimed).await,
                Event::Saved(outcome) => self.saved(outcome),
                Event::Read(read) => self.take_read(read),
                Event::Messages if messages.is_empty() => self.shut_down(),
                Event::Messages => {
                    for message in messages.drain(..) {
                        self.take(message);
                    }
                }
                Event::Hinted | Event::Woken => {}
            }
        }
    }

    async fn event(&mut self, messages: &mut Vec<Message>) -> Event {
        let Running { append, claim, save, read, following, wake, ends, .. } = &mut self.running;
        let shared = !self.settings.exclusive;
        let longest = Instant::now() + if shared { LOOK_EVERY } else { MAX_SLEEP };
        let begins = following.claim_at.filter(|_| claim.is_none());
        let sleep = [*wake, *ends, begins].into_iter().flatten().fold(longest, Instant::min);
        let closed = ends.is_some();
        tokio::select! {
            biased;
            report = poll(append), if append.is_some() => { *append = None; Event::Reported(report) }
            claimed = poll(claim), if claim.is_some() => { *claim = None; Event::Claimed(claimed) }
            saved = poll(save), if save.is_some() => { *save = None; Event::Saved(saved) }
            _ = self.hint.changed(), if shared && !closed => Event::Hinted,
            _ = self.inbox.recv_many(messages, BURST), if !closed => Event::Messages,
            on = poll(read), if read.is_some() => { *read = None; Event::Read(on) }
            () = tokio::time::sleep_until(sleep) => { *wake = None; Event::Woken }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Ask { mode, key, submission, wait, reply } => {
                self.running.requests += 1;
                let request = self.running.requests;
                self.running.replies.insert(request, reply);
                let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
                let now = self.now();
                let expires = now.checked_add_signed(wait).unwrap_or(now);
                self.step(Input::Command(Asked { request, mode, key, submission, expires }));
            }
            Message::Release => self.running.following.released = true,
            Message::Shutdown => self.shut_down(),
        }
    }

    fn shut_down(&mut self) {
        self.running.ends.get_or_insert_with(|| Instant::now() + DRAIN);
        self.step(Input::Revoke);
    }

    pub(super) fn step(&mut self, input: Input) {
        let at = self.now();
        let input = match self.load(at, &input) {
            Ok(()) => input,
            Err(error) => Input::Damaged(error.to_string()),
        };
        let outputs = self.shard.step(at, input);
        for output in outputs {
            self.obey(output);
        }
    }

    pub(super) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.running.clock.now()
    }

    /// Ends the checkpoint under way and writes the last one.
    async fn save_last(&mut self) {
        if self.running.save.is_some() {
            let outcome = poll(&mut self.running.save).await;
            self.saved(outcome);
        }
        if self.saving.is_some() && self.shard.unsaved() > 0 {
            let outcome = self.save().await;
            self.saved(outcome);
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Append(records) => {
                let (log, number) = (self.log.clone(), self.number);
                self.running.append = Some(Box::pin(async move { log.append(number, records).await }));
            }
            Output::Answer(request, answer) => {
                if let Some(reply) = self.running.replies.remove(&request) {
                    // Whoever does not wait any more asks again with the same id.
                    let _ = reply.send(answer);
                }
            }
            Output::Claim { failures } => self.claim_later(failures),
            Output::WakeAt(at) => self.running.wake = Some(Instant::now() + self.running.clock.until(at)),
            Output::Ready { queue, tasks } => self.wakeups.wake(&queue, tasks),
        }
    }

    fn reported(&mut self, report: Report) {
        let input = match report {
            Ok(offsets) => Input::Appended(Ok(offsets)),
            Err(error @ (AppendError::NoShard { .. } | AppendError::ReadOnly)) => {
                Input::Damaged(error.to_string())
            }
            Err(error) => {
                tracing::warn!(shard = self.number, %error, "a batch was not confirmed; claiming the shard again");
                let permanent = matches!(error, AppendError::TooLarge { .. });
                Input::Appended(Err(AppendFailure { permanent, detail: error.to_string() }))
            }
        };
        self.step(input);
    }

    async fn claimed(&mut self, claimed: Result<Claimed, ClaimError>) {
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error @ (ClaimError::Damaged { .. } | ClaimError::Read(_))) => {
                return self.step(Input::Damaged(error.to_string()));
            }
            Err(error) => {
                tracing::warn!(shard = self.number, %error, "the claim did not count; trying again");
                return self.step(Input::NotClaimed);
            }
        };
        self.catch_up(claimed.cursor.next_offset).await;
        if let Some(difference) = claimed.clock_difference() {
            return self.distrust_clock(difference);
        }
        self.running.clock = Clock::claimed(claimed.last_at);
        let Claimed { ownership, cursor, last_at, .. } = claimed;
        tracing::info!(shard = self.number, epoch = ownership.epoch(), "owns the shard");
        self.step(Input::Claimed(Box::new(Claim { ownership, cursor, last_at })));
    }

    /// Feeds the counted records from the shard's cursor to `end`, or to the end that there is.
    async fn catch_up(&mut self, end: u64) {
        let start = match self.shard.cursor().last_counted {
            None => Start::Beginning(self.number),
            Some(_) => Start::Cursor(*self.shard.cursor()),
        };
        let mut reader = match self.log.reader(start).await {
            Ok(reader) => reader,
            Err(error) => return self.step(Input::Damaged(error.to_string())),
        };
        while reader.cursor().next_offset < end {
            match reader.next(READ_RECORDS).await {
                Ok(records) if records.is_empty() => break,
                Ok(records) => {
                    self.feed(records.into_iter().take_while(|record| record.offset < end));
                }
                Err(error) => return self.step(Input::Damaged(error.to_string())),
            }
            self.show();
            if self.save_is_due() && self.running.save.is_none() {
                let outcome = self.save().await;
                self.saved(outcome);
            }
            // Other tasks of this thread come in between, however long the log is.
            tokio::task::yield_now().await;
        }
    }

    /// Publishes status and metrics.
    fn show(&mut self) {
        let counts = self.shard.take_counts();
        self.running.meters.publish(counts, &self.shard);
        let now = ShardStatus {
            shard: self.number,
            status: self.shard.status(),
            owner: self.running.following.owner.clone(),
            next_offset: self.running.following.read_to.max(self.shard.cursor().next_offset),
            end: self.log.end(self.number),
            trusts_clock: self.trusts_clock(),
        };
        let named = |status: &Status| std::mem::discriminant(status);
        self.status.send_if_modified(|shown| {
            let news = named(&shown.status) != named(&now.status);
            let changed = news || shown.owner != now.owner;
            if let (true, Status::Stopped(place)) = (news, &now.status) {
                tracing::error!(shard = now.shard, %place, "the shard is stopped");
            }
            *shown = now;
            changed
        });
    }
}

/// Waits for what is under way. Only polled while something is.
async fn poll<T>(waited: &mut Waited<T>) -> T {
    match waited {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
