//! The log in segment files of one directory (log.md §7).
//!
//! One physical log holds all shards. A thread writes *rounds*: whatever was appended while the last
//! one became durable, in one write and one fdatasync. Readers at the end are served from memory,
//! others read the segments in large chunks.

mod chunks;
mod committer;
mod disk;
mod end_mark;
mod files;
mod frame;
mod header;
mod index;
mod inspect;
mod options;
mod recovery;
mod scan;
mod segments;
mod tail;
mod tracker;
mod walk;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::cursor::Cursor;
use crate::fence::Kind;
use crate::handle::AppendError;
use crate::reader::{Content, MAX_STEP_BYTES, ReadError};
use crate::record::{Genesis, Record};
use crate::stored::Stored;
use chunks::Chunks;
use committer::{Batch, Committer, Published, Queue};
use disk::{DiskReader, Limit};
pub use inspect::{Report, SegmentReport, ShardReport, check, show};
pub use options::{EmbeddedOptions, OpenError};
pub use recovery::Cut;
use segments::Segments;
use tail::Tail;

/// Most bytes of batches that wait or are being written; further appends wait for room.
const MAX_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// The backend.
#[derive(Debug)]
pub(crate) struct Embedded {
    genesis: Genesis,
    published: Arc<Published>,
    cut: Option<Cut>,
    writing: Option<Writing>,
    _lock: File,
}

/// What only a log that may be written has.
#[derive(Debug)]
struct Writing {
    queue: Arc<Queue>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

/// One reader's place in the segment files.
#[derive(Debug)]
pub(crate) struct DiskPlace(DiskReader);

impl Embedded {
    pub(crate) fn open(options: &EmbeddedOptions) -> Result<Self, OpenError> {
        let opened = recovery::open(options)?;
        Self::start(opened, options.tail_bytes, &options.dir)
    }

    pub(crate) fn open_read_only(dir: &Path) -> Result<Self, OpenError> {
        Self::start(recovery::open_read_only(dir)?, EmbeddedOptions::TAIL_BYTES, dir)
    }

    fn start(opened: recovery::Opened, tail_bytes: usize, dir: &Path) -> Result<Self, OpenError> {
        let ends = opened.tracker.shards.iter().map(|mark| watch::Sender::new(mark.end)).collect();
        let tail = Mutex::new(Tail::new(opened.tracker, tail_bytes));
        let segments = Segments::new(opened.segments);
        let published = Arc::new(Published { segments, chunks: Chunks::default(), tail, ends });
        let writing = match opened.writer {
            None => None,
            Some(writer) => {
                let queue = Arc::new(Queue::default());
                let committer = Committer::new(writer, Arc::clone(&published));
                let its_queue = Arc::clone(&queue);
                let builder = std::thread::Builder::new().name("gesta-log".into());
                let thread = builder.spawn(move || committer.run(&its_queue));
                let thread = thread.map_err(files::failed(dir, "starting the writing thread of"))?;
                Some(Writing { queue, room: Arc::new(Semaphore::new(MAX_QUEUE_BYTES)), thread: Some(thread) })
            }
        };
        Ok(Self { genesis: opened.genesis, published, cut: opened.cut, writing, _lock: opened.lock })
    }

    pub(crate) fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub(crate) fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    pub(crate) fn end(&self, shard: u16) -> u64 {
        self.published.tail().mark(shard).end
    }

    pub(crate) fn watch(&self, shard: u16) -> watch::Receiver<u64> {
        self.published.ends[usize::from(shard)].subscribe()
    }

    pub(crate) async fn append(
        &self,
        shard: u16,
        records: Vec<Record>,
        bytes: usize,
    ) -> Result<Vec<u64>, AppendError> {
        let writing = self.writing.as_ref().ok_or(AppendError::ReadOnly)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let ended = || AppendError::Unconfirmed { shard, problem: "the log is closed".to_owned() };
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        let share = Arc::clone(&writing.room).acquire_many_owned(wanted).await.map_err(|_| ended())?;
        let (answer, answered) = oneshot::channel();
        writing.queue.push(Batch { shard, records, bytes, answer, _share: share }).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// The record at `offset`, if it is below the shard's end.
    fn record_at(&self, shard: u16, offset: u64) -> Result<Option<Arc<Stored>>, ReadError> {
        let recent = {
            let tail = self.published.tail();
            if offset >= tail.mark(shard).end {
                return Ok(None);
            }
            tail.get(shard, offset, 1, 0)
        };
        let limit = Limit { records: 1, bytes: 1 };
        let found = match recent {
            Some(records) => records,
            None => DiskReader::new(shard, &self.published).fetch(offset, limit)?,
        };
        Ok(found.into_iter().next())
    }

    pub(crate) fn check(&self, cursor: &Cursor) -> Result<(), ReadError> {
        crate::handle::check_cursor(&self.genesis, self.end(cursor.shard), cursor, |offset| {
            Ok(self.record_at(cursor.shard, offset)?.map(|record| record.header.clone()))
        })
    }

    /// The last place not behind `offset` of which the state of rule F is known.
    pub(crate) fn before(&self, shard: u16, offset: u64) -> Cursor {
        let end = self.published.tail().mark(shard);
        let segment = || self.published.segments.find(shard, offset)?.mark(shard);
        let known = if offset >= end.end { Some(end) } else { segment() };
        // Nobody may pass over a record that cannot be read.
        let known = known.filter(|mark| mark.unreadable.is_none());
        known
            .map_or_else(|| Cursor::beginning(&self.genesis, shard), |mark| mark.cursor(&self.genesis, shard))
    }

    /// Where `shard` ends under rule F, and the time of its last counted commit.
    pub(crate) fn basis(&self, shard: u16) -> Result<(Cursor, Option<DateTime<Utc>>), ReadError> {
        let mark = self.published.tail().mark(shard);
        if let Some(offset) = mark.unreadable {
            let problem = "its form is unknown".to_owned();
            return Err(ReadError::Unreadable { shard, offset, part: "header", problem });
        }
        let Some(offset) = mark.last_commit else { return Ok((mark.cursor(&self.genesis, shard), None)) };
        let content = self.record_at(shard, offset)?.map(|record| record.content(Kind::Commit)).transpose();
        let content = content.map_err(|problem| ReadError::Unreadable {
            shard,
            offset,
            part: "value",
            problem: problem.to_string(),
        })?;
        let at = if let Some(Content::Commit(commit)) = content { Some(commit.at) } else { None };
        Ok((mark.cursor(&self.genesis, shard), at))
    }

    /// Recent records that follow `from`; none when they have to be read from the files.
    pub(crate) fn recent(&self, shard: u16, from: u64, max: usize) -> Option<Vec<Arc<Stored>>> {
        let tail = self.published.tail();
        if from == tail.mark(shard).end {
            Some(Vec::new())
        } else {
            tail.get(shard, from, max, MAX_STEP_BYTES)
        }
    }

    /// Records that follow `from` in the files; blocks. At least one, unless `from` is the end.
    pub(crate) fn read(
        &self,
        place: &mut Option<DiskPlace>,
        shard: u16,
        from: u64,
        max: usize,
    ) -> Result<Vec<Arc<Stored>>, ReadError> {
        let end = self.end(shard);
        if from >= end {
            return if from == end {
                Ok(Vec::new())
            } else {
                Err(ReadError::Truncated { shard, end, next_offset: from })
            };
        }
        let DiskPlace(reader) =
            place.get_or_insert_with(|| DiskPlace(DiskReader::new(shard, &self.published)));
        let limit = Limit { records: max, bytes: MAX_STEP_BYTES };
        let read = reader.fetch(from, limit);
        if read.is_err() {
            *place = None;
        }
        read
    }
}

impl Drop for Embedded {
    /// Writes what waits, renews the `end` file, and gives the directory free.
    fn drop(&mut self) {
        let Some(writing) = &mut self.writing else { return };
        writing.queue.close();
        if let Some(thread) = writing.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writing thread of the log had ended by a panic");
        }
    }
}
