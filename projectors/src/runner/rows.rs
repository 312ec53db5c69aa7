//! Where rows are loaded from.

use migrations::table::Table;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool};
use tokio::sync::Semaphore;

use super::failure::Failure;
use crate::projection::KeyArray;
use crate::store;

/// The tables of the run's generation.
pub(crate) struct Source {
    pub(crate) pool: PgPool,
    pub(crate) schema: String,
    /// As many loads at once as there are connections for them: waiting for one is no outage.
    pub(crate) loaders: Semaphore,
}

impl Source {
    /// The current rows of many keys, in one query.
    pub(crate) async fn current<R>(&self, table: &Table<R>, keys: Vec<KeyArray>) -> Result<Vec<R>, Failure>
    where
        R: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        let _permit = self.loaders.acquire().await.expect("nobody closes it");
        let mut conn = self.pool.acquire().await?;
        Ok(store::current(&mut conn, table, &self.schema, keys).await?)
    }
}
