//! The work itself: cutting the files of a part of a repository into chunks and handing them in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use schemas::ids::AggregateId;
use schemas::source_file::{IndexSourceFile, NewChunk, RegisterSourceFile};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::code::{self, Chunk, FileChunks, MAX_FILE_BYTES};
use super::walk::{Range, files};
use super::work::{Gauge, WorkError, order};
use crate::client::{CallError, Client};

/// Name and version of how this release cuts files: another one makes every file be cut again.
pub(crate) const CHUNKER: &str = "definitions/1";
/// Longest time that the text of one file is parsed; then it is cut as any text.
const PARSE_TIME: Duration = Duration::from_secs(5);
/// Most skipped files that a result names.
const MAX_NAMED: usize = 20;

/// Input of an `index` task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    /// The registered repository.
    pub(crate) repository_id: AggregateId,
    /// Absolute path of its files.
    pub(crate) root: PathBuf,
    /// First path, relative to the root; absent = from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<PathBuf>,
    /// First path that is no longer part; absent = to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<PathBuf>,
    /// How many files to expect; progress is measured by it.
    #[serde(default)]
    pub(crate) files: u64,
    /// Commit that the files are of; absent = none, or changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
}

/// Result of an `index` task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Indexed {
    /// Files whose content was new.
    pub(crate) indexed: u64,
    /// Files whose content was known already.
    pub(crate) unchanged: u64,
    /// Chunks of all of them.
    pub(crate) chunks: u64,
    /// Files that have no chunks, by reason: `too_large`, `binary`, `not_utf8`, `unreadable`, or why Gesta refused.
    pub(crate) skipped: BTreeMap<String, u64>,
    /// The first of those.
    pub(crate) skipped_files: Vec<String>,
}

/// What became of one file.
enum Outcome {
    Indexed(u64),
    Unchanged(u64),
    Skipped(String),
}

/// Indexes what a payload orders, on this thread.
pub(super) fn perform(
    payload: &Map<String, Value>,
    gauge: &Gauge,
    client: &Client,
    runtime: &Handle,
) -> Result<Indexed, WorkError> {
    let order: Order = order(payload)?;
    std::fs::read_dir(&order.root).map_err(|error| WorkError::Repo { repo: order.root.clone(), error })?;
    let range = Range { from: order.from.clone(), until: order.until.clone() };
    let (mut result, mut done) = (Indexed::default(), 0);
    for path in files(&order.root, range) {
        gauge.await_turn(Instant::now())?;
        let path = path.map_err(WorkError::Walk)?;
        match file(&order, &path, gauge, client, runtime)? {
            Outcome::Indexed(chunks) => {
                result.indexed += 1;
                result.chunks += chunks;
            }
            Outcome::Unchanged(chunks) => {
                result.unchanged += 1;
                result.chunks += chunks;
            }
            Outcome::Skipped(reason) => {
                *result.skipped.entry(reason).or_default() += 1;
                if result.skipped_files.len() < MAX_NAMED {
                    result.skipped_files.push(path.to_string_lossy().into_owned());
                }
            }
        }
        done += 1;
        gauge.reach(done, order.files);
    }
    Ok(result)
}

fn file(
    order: &Order,
    path: &Path,
    gauge: &Gauge,
    client: &Client,
    runtime: &Handle,
) -> Result<Outcome, WorkError> {
    let skipped = |reason: &str| Ok(Outcome::Skipped(reason.to_owned()));
    let Some(name) = path.to_str() else { return skipped("path_not_utf8") };
    let mut bytes = Vec::new();
    // One byte more than may be: that it is too large is all that is to be known.
    let limit = MAX_FILE_BYTES as u64 + 1;
    if File::open(order.root.join(path)).and_then(|file| file.take(limit).read_to_end(&mut bytes)).is_err() {
        return skipped("unreadable");
    }
    let text = match code::decode(&bytes) {
        Ok(text) => text,
        Err(error) => return skipped(error.reason()),
    };
    let until = Instant::now() + PARSE_TIME;
    let give_up = || gauge.stop.load(Ordering::Relaxed) || Instant::now() > until;
    let cut = code::chunk(name, text, &give_up);
    gauge.await_turn(Instant::now())?;
    let chunks = cut.chunks.len() as u64;
    match runtime.block_on(hand_in(order, name, &bytes, text, cut, client)) {
        Ok(true) => Ok(Outcome::Indexed(chunks)),
        Ok(false) => Ok(Outcome::Unchanged(chunks)),
        Err(CallError::Refused(problem)) => Ok(Outcome::Skipped(problem.code.clone())),
        Err(error) => Err(error.into()),
    }
}

/// Registers the file and hands its chunks in; whether anything was new.
async fn hand_in(
    order: &Order,
    path: &str,
    bytes: &[u8],
    text: &str,
    cut: FileChunks,
    client: &Client,
) -> Result<bool, CallError> {
    let register = RegisterSourceFile { repository_id: order.repository_id, path: path.to_owned() };
    // Derived from repository and path, so that whoever comes again finds the same file.
    let key = format!("{}:{}", order.repository_id, &hex(path.as_bytes())[..32]);
    let registered = client.command("source-files", &key, &register).await?;
    let id = registered.body["aggregateId"].as_str().unwrap_or_default().to_owned();
    let number = |count: usize| u32::try_from(count).expect("a file that is cut is far below 4 GiB");
    let index = IndexSourceFile {
        content_hash: hex(bytes),
        chunker: CHUNKER.to_owned(),
        commit: order.commit.clone(),
        language: cut.language.map(str::to_owned),
        bytes: number(bytes.len()),
        lines: number(text.lines().count()),
        chunks: cut.chunks.into_iter().map(new_chunk).collect(),
    };
    // Never the same key for two contents in turn: the first answer would stand for the second.
    let key = Uuid::new_v4().to_string();
    let answer = client.command(&format!("source-files/{id}/index"), &key, &index).await?;
    Ok(answer.body["events"].as_array().is_some_and(|events| !events.is_empty()))
}

fn new_chunk(chunk: Chunk) -> NewChunk {
    let Chunk { id, kind, name, scope, signature, text, part, start_line, end_line } = chunk;
    NewChunk { id, kind, name, scope, signature, text, part, start_line, end_line }
}

/// SHA-256, lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|octet| format!("{octet:02x}")).collect()
}
