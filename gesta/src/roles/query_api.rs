//! The read side: GraphQL and the explorer.

use ::query_api::QueryOptions;
use anyhow::Context as _;
use axum::Router;
use axum::routing::any;
use schemas::problem::Code;
use tokio_util::sync::CancellationToken;

use super::ops::problem;
use super::ports::listen;
use super::process::Process;
use super::projectors::{NO_DATABASE, watch_postgres};
use crate::settings::{DEFAULT_LISTEN, PostgresUrl, Settings};

/// The routes of the read side. Postgres may be missing: then queries are refused with 503 until it is there.
///
/// # Errors
/// When the address of Postgres cannot be used.
pub(crate) fn router(
    settings: &Settings,
    url: &PostgresUrl,
    address: std::net::SocketAddr,
    process: &Process,
) -> anyhow::Result<Router> {
    let pool = migrations::query_pool(url.reveal(), settings.postgres.max_connections)?;
    let options = QueryOptions {
        trust_tenant_header: address.ip().is_loopback(),
        shutdown: process.halt.clone(),
        ..QueryOptions::default()
    };
    Ok(::query_api::router(pool, options))
}

/// Answers in place of the read side where no database is configured.
pub(crate) fn without_database() -> Router {
    let answer = || async { problem(Code::Unavailable, NO_DATABASE) };
    Router::new()
        .route("/graphql", any(answer))
        .route("/graphql/{*rest}", any(answer))
        .route("/", any(answer))
}

/// Runs the read side alone until a signal.
///
/// # Errors
/// When a port is taken, or no database is configured.
pub(crate) async fn run(settings: &Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let url = settings.postgres.url.clone().context(NO_DATABASE)?;
    let listener = listen(settings.server.listen, DEFAULT_LISTEN, "--listen").await?;
    let mut process = Process::new(settings, stop).await?;
    watch_postgres(&process, &url)?;
    process.serve_ops(None);
    let address = listener.local_addr()?;
    tracing::info!(%address, ops = %process.ops_address, "queries are answered");
    process.serve("queries", listener, router(settings, &url, address, &process)?);
    process.await_stop().await;
    process.end().await;
    Ok(())
}
