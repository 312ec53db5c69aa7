//! The state store: a cache of the log on disk, so that a restart does not replay it and memory does
//! not hold it (log.md §6). It may be removed at any time while the service is stopped.
//!
//! One database for all shards: stream states, what stands in dispatch and deadlines, command ids, and
//! per shard the cursor. A checkpoint is one batch of proven changes and the cursor that they belong to.

mod codec;
mod fingerprint;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use event_log::{Cursor, Genesis};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use schemas::ids::Stream;

use crate::shard::receipts::CommandKey;
use crate::shard::{Checkpoint, Loaded, Marks, Needs};
use codec::Stand;

/// Bytes of blocks kept in memory.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that one keyspace collects in memory before it writes a table.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of journal on disk before tables are forced out.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
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
    database: Database,
    streams: Keyspace,
    marks: Keyspace,
    commands: Keyspace,
    cursors: Keyspace,
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
        let store = Self::open_any(dir)?;
        let found = store.cursors.get(BELONGS).map_err(|error| store.broken(error))?;
        let store = match found {
            Some(found) if *found == *belongs.as_bytes() => return Ok(store),
            None => store,
            Some(_) => {
                tracing::info!(dir = %dir.display(), "the state store was made by other code; replaying the log");
                drop(store);
                std::fs::remove_dir_all(dir)
                    .map_err(|error| StoreError::Directory { dir: dir.display().to_string(), error })?;
                Self::open_any(dir)?
            }
        };
        store.cursors.insert(BELONGS, belongs).map_err(|error| store.broken(error))?;
        Ok(store)
    }

    fn open_any(dir: &Path) -> Result<Self, StoreError> {
        let text = dir.display().to_string();
        std::fs::create_dir_all(dir).map_err(|error| StoreError::Directory { dir: text.clone(), error })?;
        let opened = || {
            let database = Database::builder(dir)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .worker_threads(1)
                .open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            let keyspace = |name| database.keyspace(name, options);
            let (streams, marks) = (keyspace("streams")?, keyspace("marks")?);
            let (commands, cursors) = (keyspace("commands")?, keyspace("cursors")?);
            Ok(Self { dir: dir.to_owned(), database, streams, marks, commands, cursors })
        };
        opened().map_err(|error| StoreError::Database { dir: text, error })
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
        let found = self.cursors.get(shard.to_be_bytes()).map_err(|error| self.broken(error))?;
        let Some(found) = found else { return Ok(None) };
        let Stand { cursor, at } =
            serde_json::from_slice(&found).map_err(|error| self.unreadable("a cursor", error))?;
        let mut marks = Vec::new();
        for guard in self.marks.prefix(shard.to_be_bytes()) {
            let (key, value) = guard.into_inner().map_err(|error| self.broken(error))?;
            let Some(stream) = stream_of(&key) else { continue };
            let mark = codec::read_marks(&value).map_err(|error| self.unreadable(stream.as_str(), error))?;
            marks.push((stream, mark));
        }
        Ok(Some(Restored { cursor, at, marks }))
    }

    /// What the store has of `needs`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn load(&self, shard: u16, needs: Needs) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        for stream in needs.streams {
            let found = self.streams.get(stream_key(shard, &stream)).map_err(|error| self.broken(error))?;
            let entry = found.map(|bytes| codec::read_entry(&stream, &bytes)).transpose();
            let entry = entry.map_err(|error| self.unreadable(stream.as_str(), error))?;
            loaded.streams.push((stream, entry));
        }
        for key in needs.commands {
            let found = self.commands.get(command_key(shard, key)).map_err(|error| self.broken(error))?;
            let receipt = found.map(|bytes| codec::read_receipt(&bytes)).transpose();
            let receipt = receipt.map_err(|error| self.unreadable("a command id", error))?;
            loaded.commands.push((key, receipt.flatten()));
        }
        Ok(loaded)
    }

    /// Writes a checkpoint, whole or not at all.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written; the shard then keeps everything in memory.
    pub fn save(&self, shard: u16, checkpoint: &Checkpoint) -> Result<(), StoreError> {
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
        batch.commit().map_err(|error| self.broken(error))
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
