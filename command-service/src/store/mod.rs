//! The state store: a cache of the log on disk, so that a restart does not replay it and memory does
//! not hold it (log.md §6). It may be removed at any time while the service is stopped.
//!
//! One database for all shards: stream states, what stands in dispatch and deadlines, command ids, and
//! per shard the cursor. A checkpoint is one batch of proven changes and the cursor that they belong to.

mod codec;
mod fingerprint;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};
use event_log::{Cursor, Genesis};
use schemas::ids::Stream;

use crate::shard::receipts::CommandKey;
use crate::shard::{Checkpoint, Loaded, Marks, Needs};
use codec::Stand;
use tables::Tables;

/// Bytes that must fit on the disk before a database that a write failed on is opened again.
const PROBE_BYTES: usize = 1024 * 1024;
/// Key of the cursors' keyspace that says which log and which code the store belongs to.
const BELONGS: &str = "belongs";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be used.
    #[error("state store {dir}: {error}; free space or mend its permissions")]
    Directory {
        /// The directory.
        dir: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The database cannot be opened, read or written.
    #[error(
        "state store {dir}: {error}; stop the service and remove the directory, it is rebuilt from the log"
    )]
    Database {
        /// The directory.
        dir: String,
        /// What the database said.
        error: fjall::Error,
    },
    /// A stored value cannot be read.
    #[error(
        "state store {dir}: {what} cannot be read: {error}; stop the service and remove the directory, it is rebuilt from the log"
    )]
    Value {
        /// The directory.
        dir: String,
        /// Which value.
        what: String,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// Where a shard stands in the store.
#[derive(Debug)]
pub struct Restored {
    /// The place in the log.
    pub cursor: Cursor,
    /// Shard time there.
    pub at: DateTime<Utc>,
    /// Every stream that something is due for or that waits.
    pub marks: Vec<(Stream, Marks)>,
}

/// The store of all shards.
pub struct Store {
    dir: PathBuf,
    /// None after they could not be opened again.
    tables: RwLock<Option<Tables>>,
    /// The last write failed.
    failed: AtomicBool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of `log` in `dir`. One of another log, or made by other code, is discarded.
    ///
    /// # Errors
    /// [`StoreError`], which says what to do.
    pub fn open(dir: &Path, log: &Genesis) -> Result<Self, StoreError> {
        let belongs = format!("{} {} {}", log.log_id, log.generation, fingerprint::fingerprint());
        let broken = |error| StoreError::Database { dir: dir.display().to_string(), error };
        let mut tables = Tables::open(dir)?;
        let found = tables.cursors.get(BELONGS).map_err(broken)?;
        if found.as_ref().is_none_or(|found| **found != *belongs.as_bytes()) {
            if found.is_some() {
                tracing::info!(dir = %dir.display(), "the state store was made by other code; replaying the log");
                drop((tables, found));
                std::fs::remove_dir_all(dir)
                    .map_err(|error| StoreError::Directory { dir: dir.display().to_string(), error })?;
                tables = Tables::open(dir)?;
            }
            tables.cursors.insert(BELONGS, belongs).map_err(broken)?;
        }
        Ok(Self { dir: dir.to_owned(), tables: RwLock::new(Some(tables)), failed: AtomicBool::new(false) })
    }

    /// Does something with the tables; opens them first if they were given up.
    fn with<R>(&self, act: impl FnOnce(&Tables) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(tables) = &*tables {
            return act(tables);
        }
        drop(tables);
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *tables {
            Some(tables) => act(tables),
            none => act(none.insert(Tables::open(&self.dir)?)),
        }
    }

    /// Has the tables opened anew after a write failed: the database then takes no other by its own rule.
    /// Until there is space for one it stays as it is, since it can still be read.
    fn renew(&self) -> Result<(), StoreError> {
        let probe = self.dir.with_extension("space");
        let written = std::fs::write(&probe, vec![0; PROBE_BYTES]);
        let removed = std::fs::remove_file(&probe);
        written
            .and(removed)
            .map_err(|error| StoreError::Directory { dir: self.dir.display().to_string(), error })?;
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn broken(&self, error: fjall::Error) -> StoreError {
        StoreError::Database { dir: self.dir.display().to_string(), error }
    }

    fn unreadable(&self, what: &str, error: serde_json::Error) -> StoreError {
        StoreError::Value { dir: self.dir.display().to_string(), what: what.to_owned(), error }
    }

    /// Where `shard` stands; none before its first checkpoint.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn restore(&self, shard: u16) -> Result<Option<Restored>, StoreError> {
        self.with(|tables| {
            let found = tables.cursors.get(shard.to_be_bytes()).map_err(|error| self.broken(error))?;
            let Some(found) = found else { return Ok(None) };
            let Stand { cursor, at } =
                serde_json::from_slice(&found).map_err(|error| self.unreadable("a cursor", error))?;
            let mut marks = Vec::new();
            for guard in tables.marks.prefix(shard.to_be_bytes()) {
                let (key, value) = guard.into_inner().map_err(|error| self.broken(error))?;
                let Some(stream) = stream_of(&key) else { continue };
                let mark = codec::read_marks(&value);
                marks.push((stream.clone(), mark.map_err(|error| self.unreadable(stream.as_str(), error))?));
            }
            Ok(Some(Restored { cursor, at, marks }))
        })
    }

    /// What the store has of `needs`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn load(&self, shard: u16, needs: Needs) -> Result<Loaded, StoreError> {
        self.with(|tables| {
            let mut loaded = Loaded::default();
            for stream in needs.streams {
                let found = tables.streams.get(stream_key(shard, &stream));
                let found = found.map_err(|error| self.broken(error))?;
                let entry = found.map(|bytes| codec::read_entry(&stream, &bytes)).transpose();
                let entry = entry.map_err(|error| self.unreadable(stream.as_str(), error))?;
                loaded.streams.push((stream, entry));
            }
            for key in needs.commands {
                let found = tables.commands.get(command_key(shard, key));
                let found = found.map_err(|error| self.broken(error))?;
                let receipt = found.map(|bytes| codec::read_receipt(&bytes)).transpose();
                let receipt = receipt.map_err(|error| self.unreadable("a command id", error))?;
                loaded.commands.push((key, receipt.flatten()));
            }
            Ok(loaded)
        })
    }

    /// Writes a checkpoint, whole or not at all. After a failure the next call makes the store
    /// writable again, if that can be.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written; the shard then keeps everything in memory.
    pub fn save(&self, shard: u16, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Relaxed) {
            self.renew()?;
        }
        let written = self.with(|tables| tables.save(shard, checkpoint).map_err(|error| self.broken(error)));
        if written.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        written
    }
}

impl Tables {
    fn save(&self, shard: u16, checkpoint: &Checkpoint) -> Result<(), fjall::Error> {
        let mut batch = self.database.batch();
        for (stream, entry) in &checkpoint.streams {
            let key = stream_key(shard, stream);
            match codec::marks(entry) {
                Some(marks) => batch.insert(&self.marks, key.clone(), marks),
                None => batch.remove(&self.marks, key.clone()),
            }
            batch.insert(&self.streams, key, codec::entry(entry));
        }
        for (key, receipt) in &checkpoint.commands {
            batch.insert(&self.commands, command_key(shard, *key), codec::receipt(receipt));
        }
        let stand = Stand { cursor: checkpoint.cursor, at: checkpoint.at };
        batch.insert(&self.cursors, shard.to_be_bytes(), codec::stand(&stand));
        batch.commit()
    }
}

fn stream_key(shard: u16, stream: &Stream) -> Vec<u8> {
    [&shard.to_be_bytes(), stream.as_str().as_bytes()].concat()
}

fn stream_of(key: &[u8]) -> Option<Stream> {
    std::str::from_utf8(key.get(2..)?).ok()?.parse().ok()
}

fn command_key(shard: u16, key: CommandKey) -> Vec<u8> {
    [&shard.to_be_bytes()[..], &key.0.to_be_bytes()[..]].concat()
}

#[cfg(test)]
mod tests;
