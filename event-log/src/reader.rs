//! Reading a shard through rule F.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemas::commit::Commit;
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::handle::blocking;
use crate::record::{ClaimValue, Genesis};
use crate::rule_f::{self, Verdict};
use crate::source::{Place, Source, last_commit};
use crate::stored::Stored;

/// A record that counts.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Its offset in the shard.
    pub offset: u64,
    /// What it says.
    pub content: Content,
    /// Where a reader stands after it.
    pub cursor: Cursor,
}

/// What a counted record says.
#[derive(Debug, Clone)]
pub enum Content {
    /// The log's name.
    Genesis(Genesis),
    /// A new owner.
    Claim(ClaimValue),
    /// The events of one command.
    Commit(Arc<Commit>),
    /// Nothing but the proof of its writer's ownership.
    Barrier,
}

/// Why a shard cannot be read on. Each is damage or a mix-up; none goes away by itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The log has no such shard.
    #[error("the log has {shards} shards; there is no shard {shard}")]
    NoShard {
        /// Asked for.
        shard: u16,
        /// Number of shards.
        shards: u16,
    },
    /// The cursor is of another log or generation.
    #[error(
        "shard {shard}: the cursor is of log {cursor_log} generation {cursor_generation}, this is log {log} \
         generation {generation}; rebuild what the cursor belongs to, or point it at its own log"
    )]
    OtherLog {
        /// Shard.
        shard: u16,
        /// Log of the cursor.
        cursor_log: Uuid,
        /// Generation of the cursor.
        cursor_generation: u32,
        /// This log.
        log: Uuid,
        /// Its generation.
        generation: u32,
    },
    /// The log ends below a place that was read before.
    #[error(
        "shard {shard}: the log ends at offset {end}, below the cursor at {next_offset}: it lost records. \
         Run `gesta log check` and restore the log from a copy"
    )]
    Truncated {
        /// Shard.
        shard: u16,
        /// Next offset of the log.
        end: u64,
        /// Next offset of the cursor.
        next_offset: u64,
    },
    /// The last counted record of the cursor is another one now.
    #[error(
        "shard {shard}: the record at offset {offset} is not the one that was read before ({found}): the log \
         was replaced or rewritten. Run `gesta log check`, and rebuild what the cursor belongs to"
    )]
    Changed {
        /// Shard.
        shard: u16,
        /// Offset of the record.
        offset: u64,
        /// What stands there.
        found: String,
    },
    /// Offset 0 is not a GENESIS.
    #[error(
        "shard {shard} does not begin with a GENESIS record: this is not a log of Gesta, or its start is lost"
    )]
    NoGenesis {
        /// Shard.
        shard: u16,
    },
    /// The current owner wrote something that this release does not know.
    #[error(
        "shard {shard}: the record at offset {offset} counts, but this release cannot read its {part}: {problem}. \
         It was written by a newer release; run that one"
    )]
    Unreadable {
        /// Shard.
        shard: u16,
        /// Offset of the record.
        offset: u64,
        /// `header` or `value`.
        part: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The stored bytes are damaged.
    #[error(
        "{file}: damaged at byte {position}: {problem}. Restore the file from a copy; Gesta never reads past it"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Byte position in it.
        position: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The file could not be read.
    #[error("{file}: cannot be read: {error}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        error: Arc<std::io::Error>,
    },
}

/// Bytes of values after which one step of a reader ends.
pub(crate) const MAX_STEP_BYTES: usize = 8 * 1024 * 1024;
/// Up to this many recent records are parsed on the caller's own thread.
const FEW_RECORDS: usize = 256;

/// Reads one shard from a place on, applying rule F. Any number of readers of a log are cheap.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    cursor: Cursor,
    place: Place,
    /// Time of the last commit up to here; none inside when there is no commit, none outside when that
    /// is not known, because the reader began after it.
    last_at: Option<Option<DateTime<Utc>>>,
}

impl Reader {
    pub(crate) fn new(source: Source, cursor: Cursor) -> Self {
        let last_at = if cursor.last_counted.is_none() { Some(None) } else { None };
        Self { source, cursor, place: Place::default(), last_at }
    }

    /// Takes what is there: at most `max_records` counted records, in order, and not much more than
    /// 8 MiB of them. An empty answer means that the reader stands at the end of the shard; it never
    /// waits for new records ([`Log::watch`](crate::Log::watch) tells when to come back). Safe to
    /// cancel: the reader then stays where it was.
    ///
    /// # Errors
    /// [`ReadError`]; the reader stays where it was, and the answer stays the same until the log is
    /// repaired. Counted records before the place in question are handed out first.
    pub async fn next(&mut self, max_records: usize) -> Result<Vec<Counted>, ReadError> {
        loop {
            let recent = self.source.recent(&self.cursor, max_records.min(FEW_RECORDS + 1))?;
            if let Some(records) = recent.filter(|records| records.len() <= FEW_RECORDS) {
                // Caught up: what was kept for reading older records is not needed any more.
                self.place = Place::default();
                let mut counted = Vec::with_capacity(records.len());
                let mut cursor = self.cursor;
                let applied = apply(&mut cursor, &records, &mut counted);
                self.pass(cursor, &counted);
                if !counted.is_empty() || (records.is_empty() && applied.is_ok()) {
                    return Ok(counted);
                }
                applied?;
            }
            self.source.arrive(&self.cursor).await?;
            let (source, cursor, place) = (self.source.clone(), self.cursor, std::mem::take(&mut self.place));
            let mut step = Step { source, cursor, place, ended: false };
            let (step, counted) = blocking(move || {
                let counted = step.run(max_records);
                (step, counted)
            })
            .await;
            let counted = counted?;
            self.pass(step.cursor, &counted);
            self.place = step.place;
            if step.ended || !counted.is_empty() {
                return Ok(counted);
            }
        }
    }

    /// Moves on to `cursor`, past what counted.
    fn pass(&mut self, cursor: Cursor, counted: &[Counted]) {
        self.cursor = cursor;
        if let Some(at) = last_commit(counted) {
            self.last_at = Some(Some(at));
        }
        if let Some(last_at) = self.last_at {
            self.source.note(&self.cursor, last_at);
        }
    }

    /// Where the reader stands.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }
}

/// A reader's step on a thread that may block.
struct Step {
    source: Source,
    cursor: Cursor,
    place: Place,
    /// Whether it came to the end of the shard.
    ended: bool,
}

impl Step {
    fn run(&mut self, max_records: usize) -> Result<Vec<Counted>, ReadError> {
        let mut counted = Vec::new();
        let mut bytes = 0;
        while counted.len() < max_records && bytes < MAX_STEP_BYTES {
            let max = max_records - counted.len();
            let step = self.source.read(&mut self.place, &self.cursor, max).and_then(|records| {
                let Some(records) = records else { return Ok(true) };
                self.ended = records.is_empty();
                bytes += records.iter().map(|record| record.value.len()).sum::<usize>();
                apply(&mut self.cursor, &records, &mut counted).map(|()| self.ended)
            });
            match step {
                Ok(false) => {}
                Ok(true) => break,
                Err(_) if !counted.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(counted)
    }
}

/// Applies rule F to records that follow `cursor`, moving it; what counts is appended to `counted`.
pub(crate) fn apply(
    cursor: &mut Cursor,
    records: &[Arc<Stored>],
    counted: &mut Vec<Counted>,
) -> Result<(), ReadError> {
    let mut void = 0;
    for record in records {
        let (state, verdict) = rule_f::step(cursor.state(), record.offset, &record.header);
        let (shard, offset) = (cursor.shard, record.offset);
        if offset == 0 && verdict == Verdict::Void {
            return Err(ReadError::NoGenesis { shard });
        }
        match verdict {
            Verdict::Void => {
                void += 1;
                cursor.pass(offset, state, false);
            }
            Verdict::Unreadable => {
                let problem = "its form is unknown".to_owned();
                return Err(ReadError::Unreadable { shard, offset, part: "header", problem });
            }
            Verdict::Counts(kind) => {
                let content = record.content(kind).map_err(|problem| ReadError::Unreadable {
                    shard,
                    offset,
                    part: "value",
                    problem: problem.to_string(),
                })?;
                cursor.pass(offset, state, true);
                counted.push(Counted { offset, content, cursor: *cursor });
            }
        }
    }
    if void > 0 {
        tracing::warn!(shard = cursor.shard, void, "records of this shard do not count and were passed over");
        metrics::counter!("gesta_log_void_records_total", "shard" => cursor.shard.to_string())
            .increment(void);
    }
    Ok(())
}
