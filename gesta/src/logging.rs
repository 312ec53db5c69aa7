//! Log lines of the process: text on a terminal, JSON elsewhere, always on standard error.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Logging};

/// What tells more than anyone asked for; a level that is given for it wins.
const QUIET: &str = "sqlx::postgres::notice=warn,fjall=warn,lsm_tree=warn";

/// Starts logging; `level` is used when neither flag nor configuration names one.
///
/// # Errors
/// When the level cannot be read.
pub(crate) fn start(logging: &Logging, level: &str) -> anyhow::Result<()> {
    let level = logging.level.as_deref().unwrap_or(level);
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))
        .with_context(|| format!("logging.level = {level:?} is no level such as info or debug"))?;
    let terminal = std::io::stderr().is_terminal();
    let json = match logging.format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    } else {
        let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        lines.compact().with_target(false).with_ansi(color).init();
    }
    Ok(())
}
