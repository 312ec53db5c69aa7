//! `gesta migrate`: brings the database to the shape of this release.

use anyhow::Context as _;

use crate::out;
use crate::settings::Settings;

/// Migrates, and says what was done.
///
/// # Errors
/// When no database is configured or it cannot be migrated.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<()> {
    let url = settings.postgres.url.as_ref().context(
        "no database is configured; set GESTA_POSTGRES_URL, --postgres-url or postgres.url in the configuration file",
    )?;
    let report = migrations::migrate(url.reveal()).await?;
    for line in &report.applied {
        out::line(format_args!("applied {line}"))?;
    }
    out::line(format_args!(
        "the schema has version {}, generation {} is read",
        report.to, report.generation
    ))?;
    Ok(())
}
