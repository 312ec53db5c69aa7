//! Walking over the frames of a segment file in large chunks.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::files::{damaged, unreadable};
use super::frame::{Found, Frame};
use crate::reader::ReadError;

/// Bytes read from a segment at once.
const CHUNK_BYTES: usize = 512 * 1024;

/// A place in a segment file that moves frame by frame.
#[derive(Debug)]
pub(super) struct Walk {
    path: PathBuf,
    file: File,
    /// Reused from chunk to chunk, because fresh memory costs as much as the reading.
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold the current chunk.
    filled: usize,
    /// Position of the chunk's first byte in the file.
    chunk_at: u64,
    position: u64,
}

/// What a walk meets next.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A frame that is not yet compared with its checksum.
    Frame(Frame<'a>),
    /// The limit, or a part that was never written.
    End,
    /// Something else at this position.
    Bad(u64, &'static str),
}

impl Walk {
    pub(super) fn open(path: PathBuf, position: u64) -> Result<Self, ReadError> {
        let file = File::open(&path).map_err(unreadable(&path))?;
        Ok(Self { path, file, buffer: Vec::new(), filled: 0, chunk_at: 0, position })
    }

    /// Position of the next frame.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Damage of this file at a position.
    pub(super) fn damaged(&self, position: u64, problem: impl Into<String>) -> ReadError {
        damaged(&self.path, position, problem)
    }

    /// The next frame below `limit`, which is a position between two frames or the file's end. The
    /// walk moves past it; at anything else it stays.
    pub(super) fn step(&mut self, limit: u64) -> Result<Step<'_>, ReadError> {
        if self.position >= limit {
            return Ok(Step::End);
        }
        let mut at = self.in_chunk();
        if let Found::Part(wanted) = Frame::find(&self.buffer[at..self.filled]) {
            self.fill(wanted, limit)?;
            at = self.in_chunk();
            if let Found::Part(wanted) = Frame::find(&self.buffer[at..self.filled]) {
                self.fill(wanted, limit)?;
                at = self.in_chunk();
            }
        }
        let position = self.position;
        match Frame::find(&self.buffer[at..self.filled]) {
            Found::Frame(frame) => {
                self.position += frame.len() as u64;
                Ok(Step::Frame(frame))
            }
            Found::Blank => Ok(Step::End),
            Found::Part(_) => Ok(Step::Bad(position, "the frame is cut")),
            Found::Bad(problem) => Ok(Step::Bad(position, problem)),
        }
    }

    /// Index of the position in the chunk; the chunk's end when it is not in it.
    fn in_chunk(&self) -> usize {
        let at = self.position.checked_sub(self.chunk_at).and_then(|at| usize::try_from(at).ok());
        at.map_or(self.filled, |at| at.min(self.filled))
    }

    /// Reads a chunk that begins at the position and holds at least `wanted` bytes, if there are
    /// as many below `limit`.
    fn fill(&mut self, wanted: usize, limit: u64) -> Result<(), ReadError> {
        let there = usize::try_from(limit - self.position).unwrap_or(usize::MAX);
        let length = there.min(wanted.max(CHUNK_BYTES));
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        (self.filled, self.chunk_at) = (0, self.position);
        while self.filled < length {
            let at = self.position + self.filled as u64;
            let read = self.file.read_at(&mut self.buffer[self.filled..length], at);
            match read.map_err(unreadable(&self.path))? {
                0 => break,
                read => self.filled += read,
            }
        }
        Ok(())
    }
}
