//! The only way to the database: a read-only transaction with the tenant set, on announced read models.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use schemas::ids::Tenant;
use schemas::position::Token;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::limits::STATEMENT_TIMEOUT;
use crate::problem::{self, Problem};
use crate::progress::Marks;
use crate::read_models::ReadModel;

type Tx = Transaction<'static, Postgres>;

/// Reads for one request or one subscription, for one tenant.
pub(crate) struct Reader {
    pool: PgPool,
    tenant: Tenant,
    /// What the document was found to read: the token was waited for on these.
    announced: BTreeSet<ReadModel>,
    /// A query reads everything in one snapshot; a subscription lives too long for that.
    snapshot: Option<Mutex<Option<Tx>>>,
}

impl Reader {
    /// A reader whose reads all see the same moment.
    pub(crate) fn snapshot(pool: PgPool, tenant: Tenant, announced: BTreeSet<ReadModel>) -> Self {
        Self { pool, tenant, announced, snapshot: Some(Mutex::new(None)) }
    }

    /// A reader of which every read sees the latest moment.
    pub(crate) fn each_on_its_own(pool: PgPool, tenant: Tenant, announced: BTreeSet<ReadModel>) -> Self {
        Self { pool, tenant, announced, snapshot: None }
    }

    /// The tenant; every statement names it, besides the row-level security behind it.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Opens the snapshot if the document reads anything; the token of what it includes.
    ///
    /// # Errors
    /// The database is not reachable, or its read models are not there.
    pub(crate) async fn open(&self) -> Result<Option<Token>, Problem> {
        let Some(snapshot) = self.snapshot.as_ref().filter(|_| !self.announced.is_empty()) else {
            return Ok(None);
        };
        let mut tx = self.begin().await?;
        let seen = Marks::load(&mut tx).await?.seen_by(&self.announced);
        *snapshot.lock().await = Some(tx);
        Ok(Some(seen))
    }

    /// Gives the snapshot's connection back.
    pub(crate) async fn close(&self) {
        let Some(snapshot) = &self.snapshot else { return };
        let open = snapshot.lock().await.take();
        if let Some(tx) = open
            && let Err(error) = tx.rollback().await
        {
            tracing::debug!(%error, "a snapshot could not be closed; its connection is dropped");
        }
    }

    /// A connection on which the tenant is set, to read `models`.
    ///
    /// # Errors
    /// The database is not reachable.
    pub(crate) async fn lend(&self, models: &[ReadModel]) -> Result<Lent<'_>, Problem> {
        if let Some(model) = models.iter().find(|model| !self.announced.contains(model)) {
            return Err(problem::internal(&format!("`{}` is read but not announced", model.name())));
        }
        let Some(snapshot) = &self.snapshot else { return Ok(Lent::Own(self.begin().await?)) };
        MutexGuard::try_map(snapshot.lock().await, Option::as_mut)
            .map(Lent::Shared)
            .map_err(|_| problem::internal(&"the snapshot is closed"))
    }

    async fn begin(&self) -> Result<Tx, Problem> {
        let mut tx = migrations::begin(&self.pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        // Local to the transaction: a pooled connection cannot carry one tenant's setting to another.
        sqlx::query("SELECT set_config('gesta.tenant', $1, true), set_config('statement_timeout', $2, true)")
            .bind(self.tenant.as_str())
            .bind(STATEMENT_TIMEOUT.as_millis().to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx)
    }
}

/// A borrowed connection.
pub(crate) enum Lent<'a> {
    Shared(MappedMutexGuard<'a, Tx>),
    Own(Tx),
}

impl Deref for Lent<'_> {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        match self {
            Self::Shared(tx) => tx,
            Self::Own(tx) => tx,
        }
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Shared(tx) => tx,
            Self::Own(tx) => tx,
        }
    }
}
