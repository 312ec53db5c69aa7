//! The shards at work: one task per shard, and the way to them.

mod claims;
mod clock;
mod driver;
mod following;
mod meters;
mod peers;
mod routing;
mod saving;
mod status;
mod wakeups;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_log::{Cursor, Log, Membership};
use schemas::ids::{Route, Stream};
use schemas::problem::Code;
use schemas::upcast::Revisions;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::{Answer, Submission};
use crate::shard::receipts::CommandKey;
use crate::shard::{Memory, Mode, Settings, Shard, Status, limits};
use crate::store::{Store, StoreError};
use driver::{Driver, Message, Running};
use peers::Peers;
pub use peers::peer_router;
use saving::Saving;
pub use status::{ServiceStatus, ShardStatus};
use wakeups::Wakeups;

/// Longest time that a shutdown waits for all shards.
const SHUTDOWN: Duration = Duration::from_secs(4);

/// Time between two looks at the shards.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How a service runs.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// Where other processes reach [`peer_router`], `host:port`; empty when they may not.
    pub address: String,
    /// What the processes of one deployment show each other; compared by [`peer_router`].
    pub secret: String,
    /// Whether a lock keeps every other process from claiming on this log, as on the embedded one.
    pub exclusive: bool,
    /// Directory of the state store; without one everything is kept in memory and replayed at a start.
    pub store: Option<PathBuf>,
    /// Which revisions of events it reads and writes.
    pub revisions: Revisions,
}

impl Default for ServiceOptions {
    /// A process of its own on a log that it has locked.
    fn default() -> Self {
        Self {
            address: String::new(),
            secret: String::new(),
            exclusive: true,
            store: None,
            revisions: Revisions::default(),
        }
    }
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no runtime to run the shards on.
    #[error("the service must be started on a Tokio runtime: {0}")]
    NoRuntime(#[from] tokio::runtime::TryCurrentError),
    /// The state store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The command side of a log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<Handle>,
    exclusive: bool,
    membership: Arc<Membership>,
    peers: Peers,
    wakeups: Arc<Wakeups>,
    closing: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Handle {
    inbox: mpsc::Sender<Message>,
    status: watch::Receiver<ShardStatus>,
}

impl Service {
    /// Starts a task for every shard of `log`. Each reads its shard and claims it; until then
    /// commands are answered with 503. [`Service::ready`] waits for it.
    ///
    /// # Errors
    /// [`StartError`] without a runtime, or when the state store cannot be used.
    pub fn start(log: &Log, options: &ServiceOptions) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::try_current()?;
        let store = match &options.store {
            Some(dir) => Some(Arc::new(Store::open(dir, log.genesis())?)),
            None => None,
        };
        let wakeups = Arc::new(Wakeups::default());
        let membership = Arc::new(log.membership());
        let address: Arc<str> = options.address.as_str().into();
        let revisions = Arc::new(options.revisions.clone());
        let (mut shards, mut tasks) = (Vec::new(), Vec::new());
        for number in 0..log.genesis().shards {
            let generation = log.genesis().generation;
            let (exclusive, memory) = (options.exclusive, Memory::default());
            let revisions = Arc::clone(&revisions);
            let settings = Settings { shard: number, generation, exclusive, memory, revisions };
            let shard = Shard::new(settings.clone(), Cursor::beginning(log.genesis(), number));
            let (status, owner, end) = (Status::Following, Arc::from(""), log.end(number));
            let begun = ShardStatus { shard: number, status, owner, next_offset: 0, end, trusts_clock: true };
            let (status, shown) = watch::channel(begun);
            let (inbox, messages) = mpsc::channel(limits::MAX_WAITING_COMMANDS);
            let driver = Driver {
                number,
                log: log.clone(),
                address: Arc::clone(&address),
                hint: membership.hint(number),
                membership: Arc::clone(&membership),
                shard,
                inbox: messages,
                wakeups: Arc::clone(&wakeups),
                status,
                settings,
                saving: store.clone().map(Saving::new),
                running: Running::new(number),
            };
            tasks.push(runtime.spawn(driver.run()));
            shards.push(Handle { inbox, status: shown });
        }
        let service = Self(Arc::new(Inner {
            shards,
            exclusive: options.exclusive,
            membership,
            peers: Peers::new(address, &options.secret),
            wakeups,
            closing: CancellationToken::new(),
            tasks: Mutex::new(tasks),
        }));
        runtime.spawn(service.clone().take_part());
        Ok(service)
    }

    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.0.shards.len()).unwrap_or(u16::MAX)
    }

    /// Has a command executed, and answers when its outcome is proven. [`Answer::Unknown`] when that
    /// takes longer than `wait`; the long poll of a claim comes on top of it.
    pub async fn submit(&self, submission: Submission, wait: Duration) -> Answer {
        if submission.home.tenant() != submission.principal.tenant.as_str() {
            let detail = format!("{} is not a stream of this tenant", submission.home);
            return Answer::Failed { code: Code::TenantForbidden, detail };
        }
        let deadline = Instant::now() + wait;
        let answer = async {
            match claims::Poll::of(&submission) {
                Some(poll) => claims::claim(self, submission, poll, deadline).await,
                None => self.ask(Mode::Execute, submission, deadline).await,
            }
        };
        answer.await
    }

    /// Asks the shard of the submission's home stream.
    async fn ask(&self, mode: Mode, submission: Submission, deadline: Instant) -> Answer {
        if self.0.exclusive {
            self.ask_here(mode, submission, deadline).await
        } else {
            self.route(mode, submission, deadline).await
        }
    }

    /// The shard of a submission's home stream.
    fn shard_of(&self, submission: &Submission) -> &Handle {
        let route = Route::of(&submission.principal.tenant, submission.home.id());
        &self.0.shards[usize::from(route.shard(self.shards()))]
    }

    /// The same in this process, whether it owns the shard or not.
    async fn ask_here(&self, mode: Mode, submission: Submission, deadline: Instant) -> Answer {
        let shard = self.shard_of(&submission);
        let (reply, answer) = oneshot::channel();
        let wait = deadline.saturating_duration_since(Instant::now());
        let key = CommandKey::of(&submission.home, &submission.command_id);
        let message = Message::Ask { mode, key, submission: Box::new(submission), wait, reply };
        match shard.inbox.try_send(message) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                let detail = format!("{} commands wait for this shard", limits::MAX_WAITING_COMMANDS);
                return Answer::Failed { code: Code::Busy, detail };
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                let detail = "the service is shutting down".to_owned();
                return Answer::Failed { code: Code::NotReady, detail };
            }
        }
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            // The task ended or the time is up before the outcome was proven.
            Ok(Err(_)) | Err(_) => Answer::Unknown,
        }
    }

    /// What wakes a long poll on `queue`.
    fn wakeup(&self, queue: &Stream) -> Arc<tokio::sync::Notify> {
        self.0.wakeups.of(queue)
    }

    /// Ends with the service: a long poll does not outlive it.
    fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// How every shard is.
    #[must_use]
    pub fn status(&self) -> ServiceStatus {
        ServiceStatus { shards: self.0.shards.iter().map(|shard| shard.status.borrow().clone()).collect() }
    }

    /// Waits until every shard takes commands or is stopped, and says which.
    pub async fn ready(&self) -> ServiceStatus {
        let settled =
            |shown: &ShardStatus| shown.takes_commands() || matches!(shown.status, Status::Stopped(_));
        while !self.0.shards.iter().all(|shard| settled(&shard.status.borrow())) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.status()
    }

    /// Ends: no new command is taken, what is under way gets its answer (at most 2 s a shard). Where other
    /// processes share the log, they take over first.
    pub async fn shutdown(&self) {
        self.0.closing.cancel();
        self.hand_over().await;
        for shard in &self.0.shards {
            // A task that has ended needs no telling.
            let _ = shard.inbox.send(Message::Shutdown).await;
        }
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = futures_util::future::join_all(tasks);
        if tokio::time::timeout(SHUTDOWN, all).await.is_err() {
            tracing::warn!("some shards did not end in {SHUTDOWN:?}; what they sent may count or not");
        }
    }
}
