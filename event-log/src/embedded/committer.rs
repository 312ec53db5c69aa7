//! The one thread that writes: what arrived while a round became durable is the next round.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::chunks::Chunks;
use super::frame::{self, Place};
use super::header::Mark;
use super::segments::Segments;
use super::tail::Tail;
use super::writer::Writer;
use crate::handle::AppendError;
use crate::record::Record;
use crate::stored::Stored;

/// Bytes after which a round takes no further batch.
const MAX_ROUND_BYTES: usize = 4 * 1024 * 1024;
/// How long the thread waits for work before it looks at the `end` file.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// After a round of so many records the next one waits [`GATHER`] for the batches of other shards: who
/// was just answered is about to ask again, and a few large rounds cost less than many small ones.
const GATHER_RECORDS: usize = 8;
/// Some time below what an fdatasync takes.
const GATHER: Duration = Duration::from_micros(100);

/// A batch on its way to the disk.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) shard: u16,
    pub(super) records: Vec<Record>,
    pub(super) bytes: usize,
    pub(super) answer: oneshot::Sender<Result<Vec<u64>, AppendError>>,
    /// Its share of the queue, given back with the answer.
    pub(super) _share: OwnedSemaphorePermit,
}

/// Batches that wait for the next round.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batches: Vec<Batch>,
    closed: bool,
}

/// What readers and the committer share.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) segments: Segments,
    pub(super) chunks: Chunks,
    pub(super) tail: Mutex<Tail>,
    pub(super) ends: Vec<watch::Sender<u64>>,
}

impl Published {
    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch; gives it back when the log is closed.
    pub(super) fn push(&self, batch: Batch) -> Result<(), Batch> {
        let mut state = self.lock();
        if state.closed {
            return Err(batch);
        }
        state.batches.push(batch);
        if state.batches.len() == 1 {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Lets the committer end once the batches that wait are written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// All waiting batches, and with `gather` those that come soon after the first. Empty after
    /// [`IDLE_WAIT`] when `impatient`; none when closed.
    fn take(&self, impatient: bool, gather: bool) -> Option<Vec<Batch>> {
        let mut state = self.lock();
        while state.batches.is_empty() {
            if state.closed {
                return None;
            }
            if impatient {
                let wait = self.arrived.wait_timeout(state, IDLE_WAIT);
                state = wait.unwrap_or_else(PoisonError::into_inner).0;
                if state.batches.is_empty() && !state.closed {
                    return Some(Vec::new());
                }
            } else {
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if gather {
            drop(state);
            std::thread::sleep(GATHER);
            state = self.lock();
        }
        Some(mem::take(&mut state.batches))
    }
}

/// The committer thread's own state.
pub(super) struct Committer {
    writer: Writer,
    published: Arc<Published>,
    /// States of the shards at the proven end.
    marks: Vec<Mark>,
    frames: Vec<u8>,
}

/// A batch of the current round with its first offset.
struct Placed {
    batch: Batch,
    first: u64,
}

impl Committer {
    pub(super) fn new(writer: Writer, published: Arc<Published>) -> Self {
        let marks = published.tail().marks().to_vec();
        Self { writer, published, marks, frames: Vec::new() }
    }

    /// Writes rounds until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Queue) {
        let mut busy = false;
        while let Some(batches) = queue.take(self.writer.end_is_old(), busy) {
            busy = batches.iter().map(|batch| batch.records.len()).sum::<usize>() >= GATHER_RECORDS;
            let mut batches = batches.into_iter().peekable();
            while batches.peek().is_some() {
                let mut bytes = 0;
                let mut round = Vec::new();
                while let Some(batch) =
                    batches.next_if(|batch| bytes == 0 || bytes + batch.bytes <= MAX_ROUND_BYTES)
                {
                    bytes += batch.bytes;
                    round.push(batch);
                }
                self.round(round);
            }
            self.writer.mark_end_if_due();
        }
        self.writer.close();
    }

    fn round(&mut self, batches: Vec<Batch>) {
        let prepared = self.writer.prepare(&self.published.segments, &self.marks);
        let start = self.writer.position();
        let (placed, written) = match prepared {
            Ok(()) => {
                let placed = self.encode(batches);
                let started = Instant::now();
                let written = self.writer.write(&self.frames);
                metrics::histogram!("gesta_log_round_seconds").record(started.elapsed());
                metrics::counter!("gesta_log_round_bytes_total").increment(self.frames.len() as u64);
                (placed, written)
            }
            Err(error) => (batches.into_iter().map(|batch| Placed { batch, first: 0 }).collect(), Err(error)),
        };
        match written {
            Ok(()) => self.publish(placed, start),
            Err(error) => {
                fail(placed, &error);
                // At once, so that the space of the failed round is free for others.
                if let Err(error) = self.writer.prepare(&self.published.segments, &self.marks) {
                    tracing::error!(%error, "no new segment could be created; each further append tries again");
                }
            }
        }
        self.frames.clear();
        self.frames.shrink_to(2 * MAX_ROUND_BYTES);
    }

    /// Gives the records of a round their offsets and writes their frames to the buffer.
    fn encode(&mut self, batches: Vec<Batch>) -> Vec<Placed> {
        let round = self.writer.next_round();
        let mut ends: Vec<u64> = self.marks.iter().map(|mark| mark.end).collect();
        let mut left: usize = batches.iter().map(|batch| batch.records.len()).sum();
        let mut placed = Vec::with_capacity(batches.len());
        for batch in batches {
            let end = &mut ends[usize::from(batch.shard)];
            let first = *end;
            for record in &batch.records {
                left -= 1;
                let place = Place { shard: batch.shard, offset: *end, round, last: left == 0 };
                frame::encode(&mut self.frames, place, record);
                *end += 1;
            }
            placed.push(Placed { batch, first });
        }
        placed
    }

    /// Makes a durable round readable and answers its appenders, in this order.
    fn publish(&mut self, placed: Vec<Placed>, start: u64) {
        let mut position = start;
        let places = placed.iter().flat_map(|placed| {
            (placed.first..).zip(&placed.batch.records).map(|(o, r)| (placed.batch.shard, o, r))
        });
        let places = places.map(|(shard, offset, record)| {
            let at = position;
            position += frame::frame_bytes(record) as u64;
            (shard, offset, at)
        });
        self.writer.segment().grow(self.writer.position(), places);
        let mut evicted = Vec::new();
        let mut answers = Vec::with_capacity(placed.len());
        let mut tail = self.published.tail();
        for Placed { batch, first } in placed {
            let count = batch.records.len() as u64;
            for (offset, record) in (first..).zip(batch.records) {
                tail.push(batch.shard, Arc::new(Stored::of(offset, record)), &mut evicted);
            }
            answers.push((batch.shard, batch.answer, first..first + count, batch._share));
        }
        self.marks.copy_from_slice(tail.marks());
        drop(tail);
        for (shard, answer, offsets, _share) in answers {
            self.published.ends[usize::from(shard)].send_if_modified(|end| {
                offsets.end > *end && {
                    *end = offsets.end;
                    true
                }
            });
            // The appender may have gone; the records are durable all the same.
            let _ = answer.send(Ok(offsets.collect()));
        }
    }
}

fn fail(placed: Vec<Placed>, error: &io::Error) {
    tracing::error!(%error, batches = placed.len(), "a round was not written; its shards claim again");
    metrics::counter!("gesta_log_failed_rounds_total").increment(1);
    for Placed { batch, .. } in placed {
        let problem = match error.kind() {
            io::ErrorKind::StorageFull => {
                format!("the disk is full ({error}); free some space, the log goes on by itself")
            }
            _ => format!("writing failed: {error}"),
        };
        let _ = batch.answer.send(Err(AppendError::Unconfirmed { shard: batch.shard, problem }));
    }
}
