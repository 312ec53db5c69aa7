//! Walking over the frames of a segment file in large chunks.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;

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
    chunk: Bytes,
    /// Position of the chunk's first byte in the file.
    chunk_at: u64,
    position: u64,
}

/// What a walk meets next.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A frame at this position, not yet compared with its checksum, and its chunk.
    Frame(Frame<'a>, &'a Bytes, u64),
    /// The limit, or a part that was never written.
    End,
    /// Something else at this position.
    Bad(u64, &'static str),
}

impl Walk {
    pub(super) fn open(path: PathBuf, position: u64) -> Result<Self, ReadError> {
        let file = File::open(&path).map_err(unreadable(&path))?;
        Ok(Self { path, file, chunk: Bytes::new(), chunk_at: 0, position })
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
        if let Found::Part(wanted) = Frame::find(&self.chunk[at..]) {
            self.fill(wanted, limit)?;
            at = self.in_chunk();
            if let Found::Part(wanted) = Frame::find(&self.chunk[at..]) {
                self.fill(wanted, limit)?;
                at = self.in_chunk();
            }
        }
        let position = self.position;
        match Frame::find(&self.chunk[at..]) {
            Found::Frame(frame) => {
                self.position += frame.len() as u64;
                Ok(Step::Frame(frame, &self.chunk, at as u64))
            }
            Found::Blank => Ok(Step::End),
            Found::Part(_) => Ok(Step::Bad(position, "the frame is cut")),
            Found::Bad(problem) => Ok(Step::Bad(position, problem)),
        }
    }

    /// Index of the position in the chunk; the chunk's end when it is not in it.
    fn in_chunk(&self) -> usize {
        let at = self.position.checked_sub(self.chunk_at).and_then(|at| usize::try_from(at).ok());
        at.map_or(self.chunk.len(), |at| at.min(self.chunk.len()))
    }

    /// Reads a chunk that begins at the position and holds at least `wanted` bytes, if there are
    /// as many below `limit`.
    fn fill(&mut self, wanted: usize, limit: u64) -> Result<(), ReadError> {
        let there = usize::try_from(limit - self.position).unwrap_or(usize::MAX);
        let mut bytes = vec![0; there.min(wanted.max(CHUNK_BYTES))];
        let mut filled = 0;
        while filled < bytes.len() {
            let read = self.file.read_at(&mut bytes[filled..], self.position + filled as u64);
            match read.map_err(unreadable(&self.path))? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        self.chunk = bytes.into();
        self.chunk_at = self.position;
        Ok(())
    }
}
