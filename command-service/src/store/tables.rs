//! The tables of the store.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::StoreError;

/// Bytes of blocks kept in memory.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that one keyspace collects in memory before it writes a table.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of journal on disk before tables are forced out.
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;

/// The database of all shards, open.
pub(super) struct Tables {
    pub(super) database: Database,
    /// Stream states.
    pub(super) streams: Keyspace,
    /// What of the streams stands in dispatch and deadlines.
    pub(super) marks: Keyspace,
    /// Command ids.
    pub(super) commands: Keyspace,
    /// Where each shard stands, and what the store belongs to.
    pub(super) cursors: Keyspace,
}

impl Tables {
    /// Opens the tables in `dir`, or makes them.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
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
            Ok(Self { database, streams, marks, commands, cursors })
        };
        opened().map_err(|error| StoreError::Database { dir: text, error })
    }
}
