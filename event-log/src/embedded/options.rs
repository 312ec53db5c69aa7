//! How a log in files is opened, and why it may not be.

use std::io;
use std::path::{Path, PathBuf};

use crate::reader::ReadError;

/// How a log in files is opened or, where there is none yet, created.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The log's directory; nothing else may stand in it. Created when missing.
    pub dir: PathBuf,
    /// Name of the deployment; must be the one that the log was created for.
    pub deployment: String,
    /// Number of shards, 1 to [`EmbeddedOptions::MAX_SHARDS`]; must be the one that the log was
    /// created with.
    pub shards: u16,
    /// Bytes after which a segment is sealed and the next one begun.
    pub segment_bytes: u64,
    /// Most bytes of recent records kept in memory for readers at the end, all shards together.
    pub tail_bytes: usize,
}

impl EmbeddedOptions {
    /// Longest name of a deployment, in bytes.
    pub const MAX_DEPLOYMENT_BYTES: usize = 200;
    /// Smallest [`segment_bytes`](Self::segment_bytes): 64 KiB.
    pub const MIN_SEGMENT_BYTES: u64 = 64 * 1024;
    /// Most shards of a log.
    pub const MAX_SHARDS: u16 = 1_024;
    /// Default of [`segment_bytes`](Self::segment_bytes): 64 MiB.
    pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
    /// Default of [`tail_bytes`](Self::tail_bytes): 32 MiB.
    pub const TAIL_BYTES: usize = 32 * 1024 * 1024;

    /// Options with the default sizes.
    #[must_use]
    pub fn new(dir: impl AsRef<Path>, deployment: &str, shards: u16) -> Self {
        Self {
            dir: dir.as_ref().to_owned(),
            deployment: deployment.to_owned(),
            shards,
            segment_bytes: Self::SEGMENT_BYTES,
            tail_bytes: Self::TAIL_BYTES,
        }
    }
}

/// Why a log was not opened. Every message names the directory or file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options cannot be served.
    #[error("{field} = {value} is not possible: {problem}")]
    Option {
        /// The field of the options.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is possible.
        problem: String,
    },
    /// Another process has the directory.
    #[error("{dir} is in use by another process; stop that one first, or use another directory")]
    InUse {
        /// The directory.
        dir: String,
    },
    /// There is no log.
    #[error("{dir} holds no log; name the directory of an existing one")]
    NoLog {
        /// The directory.
        dir: String,
    },
    /// The log is not the one that was meant.
    #[error("{dir}: {field} of the log is {found}, but {wanted} is configured; {advice}")]
    Mismatch {
        /// The directory.
        dir: String,
        /// `deployment`, `shards` or `format`.
        field: &'static str,
        /// What the log says.
        found: String,
        /// What was asked for.
        wanted: String,
        /// What to do.
        advice: &'static str,
    },
    /// The stored bytes are damaged, or part of them is gone.
    #[error(transparent)]
    Damaged(#[from] ReadError),
    /// The system refused.
    #[error("{path}: {action} failed: {error}")]
    Io {
        /// The file or directory.
        path: String,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
}
