//! One handle over all backends.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemas::commit::MAX_COMMIT_BYTES;
use tokio::sync::watch;
use uuid::Uuid;

use crate::claim::{ClaimAttempt, ClaimError, Claimed};
use crate::cursor::{Cursor, Start};
use crate::embedded::{Cut, Embedded, EmbeddedOptions, OpenError};
use crate::fence::Kind;
use crate::kafka::{Kafka, KafkaError, KafkaOptions};
use crate::memory::{FaultHandle, Memory, MemoryOptions};
use crate::reader::{ReadError, Reader};
use crate::record::{ClaimValue, Genesis, Record};
use crate::rule_f::Header;
use crate::source::Source;

/// Largest batch of one [`Log::append`], in bytes of its records.
pub const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// How many records further back a claim is looked for, if it does not stand where it should.
const LOOK_BACK: u64 = 1_000;

/// A log. Cheap to clone; the clones share one backend, and the last one closes it.
#[derive(Debug, Clone)]
pub struct Log {
    pub(crate) source: Source,
}

/// Why a batch was not confirmed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The log has no such shard. Nothing was written.
    #[error("the log has {shards} shards; there is no shard {shard}")]
    NoShard {
        /// Asked for.
        shard: u16,
        /// Number of shards.
        shards: u16,
    },
    /// A record or the batch is too large. Nothing was written.
    #[error("{what} has {bytes} bytes, more than the limit of {limit} bytes")]
    TooLarge {
        /// `a record`, `the key of a record` or `the batch`.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The log was opened for reading only. Nothing was written.
    #[error("the log was opened for reading only")]
    ReadOnly,
    /// Whether the batch will ever be there is open: claim the shard again and read.
    #[error("shard {shard}: the log did not confirm the batch: {problem}")]
    Unconfirmed {
        /// Shard.
        shard: u16,
        /// What went wrong.
        problem: String,
    },
}

impl Log {
    /// Opens the log of a directory for one process, or creates it with its GENESIS records.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(options: EmbeddedOptions) -> Result<Self, OpenError> {
        Ok(Self { source: Source::Embedded(Arc::new(Embedded::open(&options)?)) })
    }

    /// Opens the log of a directory without ever writing to it, for tools. It takes the lock too:
    /// the log's own process must be stopped.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open_read_only(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self { source: Source::Embedded(Arc::new(Embedded::open_read_only(dir)?)) })
    }

    /// Opens the log of a topic that [`kafka_init`](Self::kafka_init) made; any number of processes may.
    ///
    /// # Errors
    /// [`KafkaError`], which says what to do, and whether [trying again](KafkaError::is_outage) may help.
    pub async fn kafka(options: KafkaOptions) -> Result<Self, KafkaError> {
        let kafka = blocking(move || Kafka::open(&options)).await?;
        Ok(Self { source: Source::Kafka(Arc::new(kafka)) })
    }

    /// Makes the topic with its settings if there is none, and the first record of every shard that
    /// has none. Safe to repeat, and to run by several at once: the first wins, all get the same answer.
    ///
    /// # Errors
    /// [`KafkaError`], also when the topic is there with other settings or for another deployment.
    pub async fn kafka_init(options: KafkaOptions) -> Result<Genesis, KafkaError> {
        blocking(move || Kafka::initialise(&options)).await
    }

    /// A new log in memory.
    #[must_use]
    pub fn memory(options: MemoryOptions) -> Self {
        Self::memory_with_faults(options).0
    }

    /// A new log in memory, with a handle that orders faults.
    #[must_use]
    pub fn memory_with_faults(options: MemoryOptions) -> (Self, FaultHandle) {
        let (memory, faults) = Memory::new(options);
        (Self { source: Source::Memory(memory) }, faults)
    }

    /// What opening the log had to cut off its end, if anything: the torn end of a last round.
    #[must_use]
    pub fn cut(&self) -> Option<&Cut> {
        match &self.source {
            Source::Embedded(embedded) => embedded.cut(),
            Source::Memory(_) | Source::Kafka(_) => None,
        }
    }

    /// Which log this is.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        self.source.genesis()
    }

    /// Claims `shard`: appends a CLAIM with the next epoch and a fresh nonce and reads it back.
    /// `address` is where other processes reach the owner; empty when they may not.
    ///
    /// # Errors
    /// [`ClaimError`]; it says for each case whether to try again.
    pub async fn claim(&self, shard: u16, address: &str) -> Result<Claimed, ClaimError> {
        self.check_shard(shard)?;
        let basis = self.source.basis(shard).await?;
        self.claim_on(shard, address, basis).await
    }

    /// The same for a process that has read the shard up to `cursor`, its last commit at `last_at`: what comes
    /// before is not read again. Another claim behind `cursor` is [`ClaimError::Lost`], and nothing is appended.
    ///
    /// # Errors
    /// [`ClaimError`]; it says for each case whether to try again.
    pub async fn claim_after(
        &self,
        cursor: &Cursor,
        last_at: Option<DateTime<Utc>>,
        address: &str,
    ) -> Result<Claimed, ClaimError> {
        self.check_shard(cursor.shard)?;
        let basis = self.source.basis_after(cursor, last_at).await?;
        if basis.0.epoch != cursor.epoch {
            return Err(ClaimError::Lost { shard: cursor.shard, epoch: basis.0.epoch });
        }
        self.claim_on(cursor.shard, address, basis).await
    }

    async fn claim_on(
        &self,
        shard: u16,
        address: &str,
        (cursor, last_at): (Cursor, Option<DateTime<Utc>>),
    ) -> Result<Claimed, ClaimError> {
        let known = cursor.next_offset.max(self.end(shard));
        let sent_at = Utc::now();
        let attempt = ClaimAttempt::new(&cursor, Uuid::new_v4().as_u128(), address);
        let offsets = self.append(shard, vec![attempt.record()]).await?;
        let reported_at = Utc::now();
        let Some(&offset) = offsets.first() else {
            let problem = "the log reported no offset for the claim".to_owned();
            return Err(AppendError::Unconfirmed { shard, problem }.into());
        };
        if offset < known {
            // Nobody else can cause that: the log lost what this process has written or read.
            return Err(ReadError::Truncated { shard, end: offset, next_offset: known }.into());
        }
        let read = self.source.read_below(cursor, offset + 1).await?;
        if read.cursor.next_offset <= offset {
            let (end, next_offset) = (read.cursor.next_offset, offset + 1);
            return Err(ReadError::Truncated { shard, end, next_offset }.into());
        }
        let ownership = attempt.decide(offset, &read.cursor)?;
        let appended_at = read.appended_at.unwrap_or(reported_at);
        let (cursor, last_at) = (read.cursor, read.last_at.or(last_at));
        Ok(Claimed { ownership, cursor, last_at, appended_at, sent_at, reported_at })
    }

    /// What the claim says whose epoch stands at `cursor`: the log is the directory of its owners. None before
    /// the first claim.
    ///
    /// # Errors
    /// [`ReadError`] when the shard cannot be read there.
    pub async fn owner(&self, cursor: &Cursor) -> Result<Option<ClaimValue>, ReadError> {
        let Some(last) = cursor.last_counted.filter(|_| cursor.epoch > 0) else { return Ok(None) };
        // Where it stands unless void records came in between; then it stands further back.
        let mut from = (last + 1).saturating_sub(cursor.next_seq);
        loop {
            let below = Cursor { next_offset: from, ..*cursor };
            let found = self.source.find_claim(below, last + 1).await?;
            if found.is_some() || from == 0 {
                return Ok(found);
            }
            from = from.saturating_sub(LOOK_BACK);
        }
    }

    /// Appends a batch and returns, once it is durable, the offset of each record in order. The
    /// caller compares them with [`Ownership`](crate::Ownership): an offset alone proves nothing.
    ///
    /// # Errors
    /// [`AppendError`]. After [`AppendError::Unconfirmed`] the records may or may not be there.
    pub async fn append(&self, shard: u16, records: Vec<Record>) -> Result<Vec<u64>, AppendError> {
        self.check_shard(shard)?;
        let bytes = check_sizes(&records)?;
        match &self.source {
            Source::Embedded(embedded) => embedded.append(shard, records, bytes).await,
            Source::Memory(memory) => memory.append(shard, records),
            Source::Kafka(kafka) => kafka.append(shard, records).await,
        }
    }

    /// A reader of one shard. With a cursor it first reads the cursor's last counted record again,
    /// and waits for that as long as the log is away.
    ///
    /// # Errors
    /// [`ReadError`] when the cursor is not of this log, or the log changed below it.
    pub async fn reader(&self, start: Start) -> Result<Reader, ReadError> {
        let shard = match start {
            Start::Beginning(shard) | Start::Before { shard, .. } => shard,
            Start::Cursor(cursor) => cursor.shard,
        };
        let shards = self.genesis().shards;
        if shard >= shards {
            return Err(ReadError::NoShard { shard, shards });
        }
        let cursor = match start {
            Start::Beginning(shard) => Cursor::beginning(self.genesis(), shard),
            Start::Cursor(cursor) => cursor,
            Start::Before { shard, offset } => self.source.before(shard, offset),
        };
        self.source.check(&cursor).await?;
        Ok(Reader::new(self.source.clone(), cursor))
    }

    /// Next offset of `shard`: every record below it is durable and readable. 0 for a shard that the
    /// log does not have.
    #[must_use]
    pub fn end(&self, shard: u16) -> u64 {
        if shard < self.genesis().shards { self.source.end(shard) } else { 0 }
    }

    /// Tells of every change of [`end`](Self::end); intermediate values may be passed over.
    ///
    /// # Panics
    /// When the log has no such shard.
    #[must_use]
    pub fn watch(&self, shard: u16) -> watch::Receiver<u64> {
        self.source.watch(shard)
    }

    /// Why the brokers refuse this process, with what to check, as long as they do; None also where there are none.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        if let Source::Kafka(kafka) = &self.source { kafka.refused() } else { None }
    }

    /// Whether what others append to `shard` is fetched from brokers. It is not where there are none, nor while this process
    /// appends so much that the shard is its own, as far as one can see; what others append is noticed all the same.
    ///
    /// # Panics
    /// When the log has no such shard.
    #[must_use]
    pub fn is_fetched(&self, shard: u16) -> bool {
        matches!(&self.source, Source::Kafka(kafka) if kafka.is_fetched(shard))
    }

    fn check_shard(&self, shard: u16) -> Result<(), AppendError> {
        let shards = self.genesis().shards;
        if shard < shards { Ok(()) } else { Err(AppendError::NoShard { shard, shards }) }
    }
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being shut down: nobody waits any more.
        Err(_) => std::future::pending().await,
    }
}

fn check_sizes(records: &[Record]) -> Result<usize, AppendError> {
    let too_large = |what, bytes, limit| Err(AppendError::TooLarge { what, bytes, limit });
    let mut bytes = 0;
    for record in records {
        let limit = usize::from(u16::MAX);
        if record.key.len() > limit {
            return too_large("the key of a record", record.key.len(), limit);
        }
        if record.size() > MAX_COMMIT_BYTES {
            return too_large("a record", record.size(), MAX_COMMIT_BYTES);
        }
        bytes += record.size();
    }
    if bytes > MAX_BATCH_BYTES { too_large("the batch", bytes, MAX_BATCH_BYTES) } else { Ok(bytes) }
}

/// Checks a cursor against the log: its id and generation, its end, and the last counted record,
/// whose header `header_at` reads again.
pub(crate) fn check_cursor(
    genesis: &Genesis,
    end: u64,
    cursor: &Cursor,
    header_at: impl FnOnce(u64) -> Result<Option<Header>, ReadError>,
) -> Result<(), ReadError> {
    let (shard, next_offset) = (cursor.shard, cursor.next_offset);
    if (cursor.log_id, cursor.generation) != (genesis.log_id, genesis.generation) {
        return Err(ReadError::OtherLog {
            shard,
            cursor_log: cursor.log_id,
            cursor_generation: cursor.generation,
            log: genesis.log_id,
            generation: genesis.generation,
        });
    }
    let Some(offset) = cursor.last_counted else {
        let fresh = *cursor == Cursor::beginning(genesis, shard);
        let found = "the cursor counts nothing, but does not stand at offset 0".to_owned();
        return if fresh { Ok(()) } else { Err(ReadError::Changed { shard, offset: 0, found }) };
    };
    if next_offset > end || offset >= next_offset {
        return Err(ReadError::Truncated { shard, end, next_offset: next_offset.max(offset + 1) });
    }
    let header = header_at(offset)?;
    let same = match &header {
        Some(Header::Fence(f)) if f.kind == Kind::Genesis => {
            offset == 0 && cursor.epoch == 0 && cursor.next_seq == 0
        }
        Some(Header::Fence(f)) => {
            (f.epoch, f.nonce, Some(f.seq)) == (cursor.epoch, cursor.nonce, cursor.next_seq.checked_sub(1))
        }
        Some(Header::Other(_)) | None => false,
    };
    let found = || {
        format!(
            "expected epoch {} sequence {}, found {header:?}",
            cursor.epoch,
            cursor.next_seq.saturating_sub(1)
        )
    };
    if same { Ok(()) } else { Err(ReadError::Changed { shard, offset, found: found() }) }
}
