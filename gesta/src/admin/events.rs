//! `gesta events --data`: the events of a stopped log, the same lines as from the stream.

use std::path::Path;

use event_log::Log;

use crate::cli::events::EventsArgs;
use crate::feed::{Feed, Filter};
use crate::out;

/// Folder of the log inside a data folder.
const LOG: &str = "log";

/// The folder of the log that `dir` names: a data folder, or that of a log itself.
pub(crate) fn log_dir(dir: &Path) -> std::path::PathBuf {
    let inner = dir.join(LOG);
    if inner.is_dir() { inner } else { dir.to_owned() }
}

/// Writes the events of the log in `dir` to standard output.
///
/// # Errors
/// When the log cannot be opened or read, or its owner still runs.
pub(crate) async fn run(dir: &Path, args: &EventsArgs) -> anyhow::Result<()> {
    let from = args.from.parse().map_err(anyhow::Error::msg)?;
    let log = Log::open_read_only(&log_dir(dir))?;
    let filter = Filter {
        types: args.types.clone(),
        subject: args.subject.clone(),
        tenant: args.tenant.clone(),
        correlation: args.correlation.clone(),
    };
    let mut feed = Feed::new(log, from, filter).await?;
    while let Some(lines) = feed.next().await? {
        for line in lines {
            out::line(line)?;
        }
    }
    Ok(())
}
