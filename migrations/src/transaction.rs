//! Transactions that may be given up at any moment.

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction with `statement`: `BEGIN`, or one that names an isolation level.
///
/// It is begun in a task of its own, to its end: of a `begin` that is dropped before Postgres has answered, sqlx
/// 0.9.0 gives the connection back to the pool inside the transaction, and whoever takes it next reads the past
/// (transact-rs/sqlx#4393). Dropped here, it is rolled back.
///
/// # Errors
/// Those of taking a connection and of the statement; `WorkerCrashed` while the runtime shuts down.
#[expect(clippy::disallowed_methods, reason = "the one place that may: its task is never given up")]
pub async fn begin(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    tokio::spawn(async move { pool.begin_with(statement).await })
        .await
        .unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
