//! The log as a topic of Kafka (log.md §1 to §4).
//!
//! Writing: one idempotent producer per process, one batch in flight per shard. Reading: a thread
//! follows all shards and keeps what came last for all readers; what is older they fetch by consumers
//! of their own. Nothing here blocks an async thread, and an outage of the brokers is waited out: an
//! error of a reader is damage.
//!
//! Beside the log, [`Publisher`] writes the public topics.

mod batch;
mod client;
mod follow;
mod group;
mod message;
mod open;
mod options;
mod origin;
mod own;
mod producer;
mod publish;
mod remote;
mod scan;
mod settings;
mod tail;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rdkafka::error::KafkaError as ClientError;
use tokio::sync::watch;

use crate::cursor::Cursor;
use crate::handle::{AppendError, blocking};
use crate::reader::ReadError;
use crate::record::{Genesis, Record};
use crate::stored::Stored;
pub(crate) use group::Group;
use open::Opening;
pub use options::{KafkaError, KafkaOptions};
pub use publish::{PublishError, Publisher, PublisherOptions};
use remote::{Asked, Clients, Remote};
pub(crate) use scan::Scan;
use writer::Writer;

/// How long to wait before the brokers are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The backend.
#[derive(Debug)]
pub(crate) struct Kafka {
    remote: Arc<Remote>,
    writer: Writer,
    /// How far each shard is known to this process.
    known: Vec<Mutex<Known>>,
}

/// A place that a reader of this process reached.
#[derive(Debug, Clone, Copy)]
struct Known {
    cursor: Cursor,
    last_at: Option<DateTime<Utc>>,
}

impl Kafka {
    /// Opens an initialised log; blocks, in a runtime.
    pub(crate) fn open(options: &KafkaOptions) -> Result<Self, KafkaError> {
        let opening = Opening::new(options)?;
        let (genesis, ends) = opening.verify()?;
        let writer = Writer::new(options)?;
        let failed = |error: ClientError| KafkaError::unreachable(options, "following the topic", error);
        follow::begin(&opening.consumer, &options.topic, &ends).map_err(failed)?;
        let Opening { consumer, scans, admin, .. } = opening;
        let clients = Clients { follower: Arc::new(consumer), asker: Arc::new(admin) };
        let topic = options.topic.clone();
        let remote = Remote::new(genesis, topic, clients.clone(), scans, &ends, options.tail_bytes);
        let remote = Arc::new(remote);
        let followed = Arc::downgrade(&remote);
        let thread = std::thread::Builder::new().name("gesta-log-follow".into());
        thread.spawn(move || follow::run(clients, &followed)).map_err(|error| {
            failed(ClientError::ClientCreation(format!("no thread to follow the topic: {error}")))
        })?;
        let begin = |shard| Known { cursor: Cursor::beginning(&remote.genesis, shard), last_at: None };
        let known = (0..remote.genesis.shards).map(|shard| Mutex::new(begin(shard))).collect();
        Ok(Self { remote, writer, known })
    }

    /// Creates what is missing of the topic and its first records; blocks, in a runtime.
    pub(crate) fn initialise(options: &KafkaOptions) -> Result<Genesis, KafkaError> {
        Opening::new(options)?.initialise()
    }

    pub(crate) fn options(&self) -> &KafkaOptions {
        self.writer.options()
    }

    pub(crate) fn genesis(&self) -> &Genesis {
        &self.remote.genesis
    }

    pub(crate) fn end(&self, shard: u16) -> u64 {
        self.remote.end(shard)
    }

    pub(crate) fn watch(&self, shard: u16) -> watch::Receiver<u64> {
        self.remote.watch(shard)
    }

    pub(crate) fn is_fetched(&self, shard: u16) -> bool {
        self.remote.is_fetched(shard)
    }

    pub(crate) fn refused(&self) -> Option<String> {
        self.remote.refused()
    }

    pub(crate) async fn append(&self, shard: u16, records: Vec<Record>) -> Result<Vec<u64>, AppendError> {
        let places = self.writer.append(shard, &records).await?;
        let offsets = places.iter().map(|place| place.offset).collect();
        self.remote.appended(shard, records, &places);
        Ok(offsets)
    }

    /// Waits while the next record of `cursor` is reported but did not come yet.
    pub(crate) async fn arrive(&self, cursor: &Cursor) -> Result<(), ReadError> {
        self.remote.arrive(cursor).await
    }

    pub(crate) fn recent(&self, cursor: &Cursor, max: usize) -> Result<Option<Vec<Arc<Stored>>>, ReadError> {
        self.remote.recent(cursor, max)
    }

    /// Older records from the brokers; blocks for a moment. None: look again.
    pub(crate) fn older(
        &self,
        place: &mut Option<Scan>,
        cursor: &Cursor,
        max: usize,
    ) -> Result<Option<Vec<Arc<Stored>>>, ReadError> {
        self.remote.older(place, cursor, max)
    }

    /// Checks a cursor against the topic and tells the shard's end; waits while the brokers are away.
    pub(crate) async fn check(&self, cursor: &Cursor) -> Result<u64, ReadError> {
        let mut place = None;
        loop {
            let (remote, cursor) = (Arc::clone(&self.remote), *cursor);
            let (kept, asked) = blocking(move || {
                let asked = remote.check(&mut place, &cursor);
                (place, asked)
            })
            .await;
            place = kept;
            let asked = asked?;
            match asked {
                Asked::Known(end) => return Ok(end),
                Asked::Away => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    /// How far `shard` is known, and the time of the last commit up to there.
    pub(crate) fn known(&self, shard: u16) -> (Cursor, Option<DateTime<Utc>>) {
        let known = *self.known[usize::from(shard)].lock().unwrap_or_else(PoisonError::into_inner);
        (known.cursor, known.last_at)
    }

    /// Notes how far a reader came that knows the time of the last commit up to there.
    pub(crate) fn note(&self, cursor: &Cursor, last_at: Option<DateTime<Utc>>) {
        let mut known = self.known[usize::from(cursor.shard)].lock().unwrap_or_else(PoisonError::into_inner);
        if cursor.next_offset > known.cursor.next_offset {
            *known = Known { cursor: *cursor, last_at };
        }
    }
}
