//! `gesta migrate`: brings the database to the shape of this release.

use crate::out;
use crate::settings::Settings;

/// Migrates, and says what was done.
///
/// # Errors
/// When no database is configured or it cannot be migrated.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<()> {
    let report = migrations::migrate(super::database(settings)?).await?;
    for line in &report.applied {
        out::line(format_args!("applied {line}"))?;
    }
    out::line(format_args!(
        "the schema has version {}, generation {} is read",
        report.to, report.generation
    ))?;
    Ok(())
}
