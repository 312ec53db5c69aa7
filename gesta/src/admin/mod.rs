//! Tools for operators that look at the data themselves: the log of a stopped Gesta, the database.

use anyhow::Context as _;

use crate::settings::Settings;

pub(crate) mod dlq;
pub(crate) mod events;
pub(crate) mod log;
pub(crate) mod migrate;

/// The URL of the database.
///
/// # Errors
/// When none is configured.
fn database(settings: &Settings) -> anyhow::Result<&str> {
    let url = settings.postgres.url.as_ref().context(
        "no database is configured; set GESTA_POSTGRES_URL, --postgres-url or postgres.url in the configuration file",
    )?;
    Ok(url.reveal())
}
