//! What one process knows of the topic: its tail, its ends, and how to ask the brokers for more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode};
use tokio::sync::watch;

use super::batch::Place;
use super::client::{Consumer, Context};
use super::scan::{Scan, Scans};
use super::tail::{Lies, Tail};
use crate::cursor::Cursor;
use crate::fence::Kind;
use crate::handle::check_cursor;
use crate::reader::{Content, MAX_STEP_BYTES, ReadError};
use crate::record::{Genesis, Record};
use crate::stored::Stored;

/// How long one question to the brokers may take before it is asked again.
pub(super) const ASK: Duration = Duration::from_secs(5);
/// How long one look for older records takes at most; then the reader may be cancelled.
const LOOK: Duration = Duration::from_millis(200);

/// Shared by the log's handle, its readers and the thread that follows the topic.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) genesis: Genesis,
    pub(super) topic: String,
    pub(super) clients: Clients,
    pub(super) scans: Scans,
    tail: Mutex<Tail>,
    /// Next offsets: what came, or was reported to an appender.
    ends: Vec<watch::Sender<u64>>,
    /// Next offsets: what came.
    came: Vec<watch::Sender<u64>>,
    /// Records that came from this process itself.
    own: Vec<AtomicU64>,
    /// Which shards are fetched.
    fetched: Vec<AtomicBool>,
}

/// The clients that live as long as the log. The thread that follows has them too and outlives
/// everybody else, so that closing them, which takes time, is that thread's part.
#[derive(Clone)]
pub(super) struct Clients {
    /// Follows all shards.
    pub(super) follower: Arc<Consumer>,
    /// Answers questions. The follower's connection is no good for that: a broker answers in order,
    /// and holds the answer to a fetch for half a second when nothing comes.
    pub(super) asker: Arc<AdminClient<Context>>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

/// An answer of the brokers; `Away` when they have to be asked again.
#[derive(Debug)]
pub(super) enum Asked<T> {
    Known(T),
    Away,
}

impl Remote {
    pub(super) fn new(
        genesis: Genesis,
        topic: String,
        clients: Clients,
        scans: Scans,
        ends: &[u64],
        tail_bytes: usize,
    ) -> Self {
        let senders = || ends.iter().map(|end| watch::Sender::new(*end)).collect();
        let tail = Mutex::new(Tail::new(ends, tail_bytes));
        let own = ends.iter().map(|_| AtomicU64::default()).collect();
        let fetched = ends.iter().map(|_| AtomicBool::new(true)).collect();
        Self { genesis, topic, clients, scans, tail, ends: senders(), came: senders(), own, fetched }
    }

    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn end(&self, shard: u16) -> u64 {
        *self.ends[usize::from(shard)].borrow()
    }

    pub(super) fn watch(&self, shard: u16) -> watch::Receiver<u64> {
        self.ends[usize::from(shard)].subscribe()
    }

    /// Tells readers of `shard` how far the tail came, or that it failed.
    pub(super) fn tell(&self, shard: u16) {
        let next = self.tail().next(shard);
        self.came[usize::from(shard)].send_replace(next);
        self.reached(shard, next);
    }

    /// Takes what this process appended as come, if it follows without a gap what came: then nobody has to fetch it.
    pub(super) fn appended(&self, shard: u16, records: Vec<Record>, places: &[Place]) {
        let (mut evicted, mut tail) = (Vec::new(), self.tail());
        for (record, place) in records.into_iter().zip(places) {
            if place.offset == tail.next(shard) {
                let mut stored = Stored::of(place.offset, record);
                stored.appended_at = place.appended_at;
                tail.push(shard, Arc::new(stored), &mut evicted);
                self.own[usize::from(shard)].fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(tail);
        self.tell(shard);
        if let Some(last) = places.iter().map(|place| place.offset).max() {
            self.reached(shard, last + 1);
        }
    }

    /// Why the brokers refuse this process, as far as it knows now.
    pub(super) fn refused(&self) -> Option<String> {
        self.clients.follower.context().refused()
    }

    /// Records of `shard` so far that came from this process and not from the brokers.
    pub(super) fn own(&self, shard: u16) -> u64 {
        self.own[usize::from(shard)].load(Ordering::Relaxed)
    }

    /// Whether the shard is fetched; it is not while what this process itself appends keeps it busy.
    pub(super) fn is_fetched(&self, shard: u16) -> bool {
        self.fetched[usize::from(shard)].load(Ordering::Relaxed)
    }

    pub(super) fn fetch(&self, shard: u16, fetched: bool) {
        self.fetched[usize::from(shard)].store(fetched, Ordering::Relaxed);
        metrics::gauge!("gesta_log_fetched", "shard" => shard.to_string()).set(f64::from(u8::from(fetched)));
    }

    /// Everything below `end` is durable.
    pub(super) fn reached(&self, shard: u16, end: u64) {
        self.ends[usize::from(shard)].send_if_modified(|known| {
            let further = end > *known;
            *known = end.max(*known);
            further
        });
    }

    /// Waits while the next record of `cursor` is reported but did not come yet.
    pub(super) async fn arrive(&self, cursor: &Cursor) -> Result<(), ReadError> {
        let shard = cursor.shard;
        let mut came = self.came[usize::from(shard)].subscribe();
        loop {
            came.borrow_and_update();
            let lies = self.tail().lies(shard, cursor.next_offset)?;
            if lies != Lies::Beyond || self.is_end(cursor) {
                return Ok(());
            }
            // The sender lives as long as this.
            let _ = came.changed().await;
        }
    }

    /// Records that follow `cursor`, if they are in the tail; none at the end.
    pub(super) fn recent(&self, cursor: &Cursor, max: usize) -> Result<Option<Vec<Arc<Stored>>>, ReadError> {
        let tail = self.tail();
        Ok(match tail.lies(cursor.shard, cursor.next_offset)? {
            Lies::Before => None,
            Lies::Within => Some(tail.get(cursor.shard, cursor.next_offset, max, MAX_STEP_BYTES)),
            Lies::Beyond if self.ends_at(&tail, cursor) => Some(Vec::new()),
            Lies::Beyond => None,
        })
    }

    fn is_end(&self, cursor: &Cursor) -> bool {
        self.ends_at(&self.tail(), cursor)
    }

    /// Whether all there is came, and lies before `cursor`, for which nothing is in the tail.
    fn ends_at(&self, tail: &Tail, cursor: &Cursor) -> bool {
        tail.next(cursor.shard).max(cursor.next_offset) >= self.end(cursor.shard)
    }

    /// Records that follow `cursor` from the brokers; blocks for a moment. None: look again.
    pub(super) fn older(
        &self,
        place: &mut Option<Scan>,
        cursor: &Cursor,
        max: usize,
    ) -> Result<Option<Vec<Arc<Stored>>>, ReadError> {
        let (shard, from) = (cursor.shard, cursor.next_offset);
        if self.tail().lies(shard, from)? != Lies::Before {
            return Ok(None);
        }
        let records = match self.scanned(place, shard, from, max) {
            Ok(records) => records,
            Err(error) => {
                *place = None;
                self.explain(shard, from, &error)?;
                Vec::new()
            }
        };
        if let Some(first) = records.first().filter(|record| record.offset == 0) {
            self.check_genesis(shard, first)?;
        }
        // The tail began behind offsets without records.
        if records.is_empty()
            && place.as_ref().is_some_and(Scan::ended)
            && let Some(end) = self.empty_until(shard, from)
        {
            self.tail().begin_at(shard, from, end);
        }
        Ok(Some(records).filter(|records| !records.is_empty()))
    }

    fn scanned(
        &self,
        place: &mut Option<Scan>,
        shard: u16,
        from: u64,
        max: usize,
    ) -> KafkaResult<Vec<Arc<Stored>>> {
        let scan = match place {
            Some(scan) if scan.stands_at(shard, from) => scan,
            _ => place.insert(self.scans.start(shard, from)?),
        };
        scan.fetch(max, MAX_STEP_BYTES, LOOK)
    }

    /// The topic may have been made anew under this process.
    pub(super) fn check_genesis(&self, shard: u16, first: &Stored) -> Result<(), ReadError> {
        let found = match first.content(Kind::Genesis) {
            Ok(Content::Genesis(genesis)) if genesis == self.genesis => return Ok(()),
            Ok(Content::Genesis(genesis)) => format!("log {}", genesis.log_id),
            _ => return Err(ReadError::NoGenesis { shard }),
        };
        Err(ReadError::Changed { shard, offset: 0, found })
    }

    /// Whether an error of a consumer at `at` is damage; else the brokers are away for now.
    pub(super) fn explain(&self, shard: u16, at: u64, error: &ClientError) -> Result<(), ReadError> {
        use RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                if let Asked::Known(end) = self.ask_end(shard)?
                    && at > end
                {
                    return Err(ReadError::Truncated { shard, end, next_offset: at });
                }
            }
            Some(Code::BadMessage | Code::InvalidMessage) => {
                let file = format!("topic {} shard {shard}", self.topic);
                return Err(ReadError::Damaged { file, position: at, problem: error.to_string() });
            }
            _ => {}
        }
        tracing::warn!(shard, at, %error, "the topic cannot be read now; trying again");
        Ok(())
    }

    /// The end of `shard` as the brokers say; blocks. Refuses a log whose start is gone.
    pub(super) fn ask_end(&self, shard: u16) -> Result<Asked<u64>, ReadError> {
        let asked = self.clients.asker.inner().fetch_watermarks(&self.topic, i32::from(shard), ASK);
        match asked {
            Ok((0, end)) => Ok(Asked::Known(u64::try_from(end).unwrap_or(0))),
            Ok(_) => Err(ReadError::NoGenesis { shard }),
            Err(error) => {
                tracing::warn!(shard, %error, "the brokers do not tell where the shard ends; asking again");
                // What a broker that was just starting did not know, the client would believe for minutes.
                if let Err(error) = self.clients.asker.inner().fetch_metadata(Some(&self.topic), ASK) {
                    tracing::warn!(shard, %error, "the brokers do not tell of the topic either");
                }
                Ok(Asked::Away)
            }
        }
    }

    /// The end of `shard`, if no record stands from `from` to there as far as the brokers tell now; blocks.
    pub(super) fn empty_until(&self, shard: u16, from: u64) -> Option<u64> {
        let Ok(Asked::Known(end)) = self.ask_end(shard) else { return None };
        let mut scan = self.scans.start(shard, from).ok()?;
        scan.is_at_end(ASK).then_some(end)
    }

    /// Checks a cursor against the topic, and tells the shard's end; blocks.
    pub(super) fn check(&self, place: &mut Option<Scan>, cursor: &Cursor) -> Result<Asked<u64>, ReadError> {
        let Asked::Known(end) = self.ask_end(cursor.shard)? else { return Ok(Asked::Away) };
        let mut away = false;
        let checked = check_cursor(&self.genesis, end, cursor, |offset| {
            let at = Cursor { next_offset: offset, ..*cursor };
            let found = match self.recent(&at, 1)? {
                Some(records) => Some(records),
                None => self.older(place, &at, 1)?,
            };
            away = found.is_none();
            let record = found.and_then(|records| records.into_iter().next());
            Ok(record.filter(|record| record.offset == offset).map(|record| record.header.clone()))
        });
        if away {
            return Ok(Asked::Away);
        }
        checked?;
        self.reached(cursor.shard, end);
        Ok(Asked::Known(end))
    }
}
