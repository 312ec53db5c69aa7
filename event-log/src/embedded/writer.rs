//! Writing rounds: one write and one fdatasync each, never a second before the first is durable.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::end_mark::{EndFile, EndMark};
use super::files;
use super::header::{Header, Mark};
use super::index::Index;
use super::options::EmbeddedOptions;
use super::segments::{Segment, Segments};
use crate::record::Genesis;

/// Zeros written ahead of the records, in bytes: an fdatasync over bytes that the file has already
/// takes half the time of one that makes it grow.
const AHEAD_BYTES: usize = 1024 * 1024;
/// How old the `end` file may become while records are written.
const END_EVERY: Duration = Duration::from_secs(1);

static ZEROS: [u8; AHEAD_BYTES] = [0; AHEAD_BYTES];

/// The files as they are opened, before it is known which segment goes on.
#[derive(Debug)]
pub(super) struct Idle {
    dir: PathBuf,
    genesis: Genesis,
    segment_bytes: u64,
    end_file: EndFile,
}

/// The only writer of a directory.
#[derive(Debug)]
pub(super) struct Writer {
    idle: Idle,
    file: File,
    segment: Arc<Segment>,
    /// Where the next round goes: everything before is proven.
    position: u64,
    /// Up to where the file is filled.
    filled: u64,
    /// Last round that was begun.
    round: u64,
    /// A write or fdatasync failed: nothing is known of this file behind `position`, and nothing
    /// may be written to it any more.
    broken: bool,
    marked_at: Instant,
}

impl Writer {
    #[expect(clippy::new_ret_no_self, reason = "a writer needs a segment, which is found in between")]
    pub(super) fn new(options: &EmbeddedOptions, genesis: Genesis, end_file: EndFile) -> Idle {
        Idle { dir: options.dir.clone(), genesis, segment_bytes: options.segment_bytes, end_file }
    }

    /// Number of the round that [`write`](Self::write) writes next.
    pub(super) fn next_round(&self) -> u64 {
        self.round + 1
    }

    /// Position at which the next round begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The segment that the next round goes to.
    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Makes sure that there is a segment for the next round: another one after a failure, and when
    /// the current one is full. `marks` are the states of the shards at the proven end.
    pub(super) fn prepare(&mut self, segments: &Segments, marks: &[Mark]) -> io::Result<()> {
        if self.broken {
            return self.open_segment(segments, marks);
        }
        let full = self.position >= self.idle.segment_bytes && self.position > self.segment.first;
        if full && let Err(error) = self.open_segment(segments, marks) {
            // The old segment is still good; only its size is not what was wished for.
            tracing::warn!(%error, "the next segment could not be created; this one goes on");
        }
        Ok(())
    }

    /// Writes the frames of one round and waits until they are durable. After an error nothing of
    /// them counts as written, and the next [`prepare`](Self::prepare) opens another segment.
    pub(super) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.round += 1;
        let end = self.position + frames.len() as u64;
        let written = self.fill_and_write(frames, end).and_then(|()| self.file.sync_data());
        if written.is_ok() {
            self.position = end;
        } else {
            self.broken = true;
        }
        written
    }

    fn fill_and_write(&mut self, frames: &[u8], end: u64) -> io::Result<()> {
        self.file.write_all_at(frames, self.position)?;
        if end > self.filled {
            self.file.write_all_at(&ZEROS, end)?;
            self.filled = end + AHEAD_BYTES as u64;
        }
        Ok(())
    }

    /// Renews the `end` file when it is older than a second and the log has grown. A failure leaves
    /// an older mark, which is weaker but true.
    pub(super) fn mark_end_if_due(&mut self) {
        if self.marked_at.elapsed() >= END_EVERY && !self.idle.end_file.says(self.end_mark()) {
            self.mark_end_or_warn();
        }
    }

    /// Whether the `end` file lags behind the log.
    pub(super) fn end_is_old(&self) -> bool {
        !self.idle.end_file.says(self.end_mark())
    }

    /// Writes the `end` file.
    pub(super) fn mark_end(&mut self) -> io::Result<()> {
        self.marked_at = Instant::now();
        let mark = self.end_mark();
        if self.idle.end_file.says(mark) { Ok(()) } else { self.idle.end_file.write(mark) }
    }

    /// Leaves the directory tidy: the `end` file says where the log ends, and so does the segment.
    pub(super) fn close(mut self) {
        self.mark_end_or_warn();
        if let Err(error) = self.file.set_len(self.position) {
            tracing::warn!(%error, "the zeros behind the log could not be given back to the disk");
        }
    }

    pub(super) fn mark_end_or_warn(&mut self) {
        if let Err(error) = self.mark_end() {
            tracing::warn!(%error, "the `end` file could not be written; it is tried again in a second");
        }
    }

    fn end_mark(&self) -> EndMark {
        EndMark { segment: self.segment.number, position: self.position, round: self.round }
    }

    /// Seals the current segment where what is proven ends, and goes on in a new one.
    fn open_segment(&mut self, segments: &Segments, marks: &[Mark]) -> io::Result<()> {
        // Gives the zeros, and after a failure what never counted, back to the disk. The new
        // segment's header says where this one ends, so it is no matter if this fails.
        if self.file.set_len(self.position).is_ok() {
            self.filled = self.position;
        }
        // A segment that holds nothing is written anew instead of leaving it empty.
        let empty = self.position == self.segment.first;
        let former = if empty { self.former()? } else { (self.segment.number, self.position) };
        let header = Header {
            genesis: self.idle.genesis.clone(),
            segment: former.0 + 1,
            former_end: former.1,
            former_round: self.round,
            proven: 0,
            shards: marks.to_vec(),
        };
        let file = files::create_segment(&self.idle.dir, &header, &[])?;
        let first = header.encode().len() as u64;
        let index = Index::new(header.genesis.shards);
        let segment = Segment::new(&self.idle.dir, &header, first, first, Some(index));
        self.segment.seal();
        segments.push(Arc::clone(&segment));
        (self.file, self.segment) = (file, segment);
        (self.position, self.filled, self.broken) = (first, first, false);
        self.mark_end_or_warn();
        Ok(())
    }

    /// Number and end of the segment before the current one, as its header says.
    fn former(&self) -> io::Result<(u64, u64)> {
        let read = files::read_header(&self.idle.dir, self.segment.number);
        let (header, ..) = read.map_err(|error| io::Error::other(error.to_string()))?;
        Ok((header.segment - 1, header.former_end))
    }
}

impl Idle {
    /// Goes on in `segment`, whose file has `filled` bytes and whose last round is `round`.
    pub(super) fn resume(self, file: File, segment: Arc<Segment>, round: u64, filled: u64) -> Writer {
        let position = segment.end();
        Writer {
            idle: self,
            file,
            segment,
            position,
            filled,
            round,
            broken: false,
            marked_at: Instant::now(),
        }
    }
}
