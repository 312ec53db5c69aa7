//! Building a generation of the read models from the log alone.

use event_log::Log;
use migrations::{MigrateError, generation};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::options::Options;
use crate::runner::{RunError, run};

/// Why a generation was not built.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Its tables could not be made.
    #[error(transparent)]
    Create(#[from] MigrateError),
    /// The log could not be applied to its end.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Creates the tables of a generation where they are missing and applies the whole log to them, up to
/// where it ends now. A second call goes on where the first one ended. The live generation is not
/// touched; [`generation::switch`] makes the new one live.
///
/// `owner_url` is that of a user who may act as the owner; `pool` acts as the projector.
///
/// # Errors
/// [`RebuildError`].
pub async fn rebuild(
    log: Log,
    owner_url: &str,
    pool: PgPool,
    generation: u32,
    cancel: CancellationToken,
) -> Result<(), RebuildError> {
    generation::create(owner_url, generation).await?;
    let options = Options { generation: Some(generation), until_end: true, ..Options::default() };
    Ok(run(log, pool, options, cancel).await?)
}
