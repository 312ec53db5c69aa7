//! The worker's flags.

use std::time::Duration;

use clap::Args;

use super::Options;
use crate::settings::args::ConnectionArgs;

/// Longest long poll that the service allows.
const MAX_WAIT: Duration = Duration::from_millis(schemas::task::MAX_CLAIM_WAIT_MS as u64);
/// How long the last claim of `--once` waits before the queues count as empty.
const ONCE_WAIT: Duration = Duration::from_secs(1);

/// Flags of `gesta worker`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// Queues to claim from, in the order in which they are tried, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = schemas::task::DEFAULT_QUEUE, value_name = "QUEUE,…")]
    queues: Vec<String>,
    /// Most tasks at once.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    concurrency: u32,
    /// Most tasks claimed per second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    claims_per_second: u32,
    /// How long one claim waits for a task, at most 30s.
    #[arg(long, default_value = "10s", value_parser = duration)]
    wait: Duration,
    /// Name of this worker for people.
    #[arg(long, default_value = "worker")]
    label: String,
    /// The worker counts as offline this long after its last heartbeat.
    #[arg(long, default_value = "30s", value_parser = duration)]
    heartbeat: Duration,
    /// Least time between two progress reports of one task.
    #[arg(long, default_value = "1s", value_parser = duration)]
    progress_every: Duration,
    /// How long running tasks may go on after SIGTERM before they are handed back.
    #[arg(long, default_value = "20s", value_parser = duration)]
    grace: Duration,
    /// How long Gesta may be out of reach before the worker ends.
    #[arg(long, default_value = "60s", value_parser = duration)]
    patience: Duration,
    /// End when the queues stay empty.
    #[arg(long)]
    once: bool,
    /// Stop, as on SIGTERM, when standard input is closed; for programs that start workers.
    #[arg(long)]
    pub(crate) stop_with_stdin: bool,
    /// `ndjson` writes what happens to each task to standard output.
    #[arg(long, value_parser = ["none", "ndjson"], default_value = "none")]
    output: String,
}

/// Reads `500ms`, `10s`, `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime_serde::re::humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it like 500ms, 10s or 2m"))
}

impl WorkerArgs {
    /// Where Gesta is.
    pub(crate) fn connection(&self) -> crate::client::Connection {
        crate::client::Connection { patience: self.patience, ..self.connection.connection("agent/worker") }
    }

    /// How to work.
    pub(crate) fn options(self) -> Options {
        Options {
            queues: self.queues,
            concurrency: self.concurrency,
            claims_per_second: self.claims_per_second,
            wait: if self.once { ONCE_WAIT.min(self.wait) } else { self.wait.min(MAX_WAIT) },
            label: self.label,
            heartbeat: self.heartbeat,
            progress_every: self.progress_every,
            grace: self.grace,
            once: self.once,
            ndjson: self.output == "ndjson",
        }
    }
}
