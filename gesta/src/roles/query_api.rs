//! The read side: GraphQL and the explorer.

use std::time::Duration;

use ::query_api::QueryOptions;
use anyhow::Context as _;
use axum::Router;
use axum::routing::any;
use schemas::problem::Code;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::ops::problem;
use super::ports::listen;
use super::process::{END_WITHIN, Process};
use super::projectors::{NO_DATABASE, plain_pool, watch_postgres};
use crate::settings::{DEFAULT_LISTEN, PostgresUrl, Settings};

/// Name of this part in `/readyz`, where it is a process of its own.
const PART: &str = "queries";
/// Time between two looks at a database that cannot be read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The routes of the read side, behind `gate`. Postgres may be missing: then queries are refused with 503 until
/// it is there.
///
/// # Errors
/// When the address of Postgres cannot be used.
pub(crate) fn router(
    settings: &Settings,
    url: &PostgresUrl,
    address: std::net::SocketAddr,
    process: &Process,
    gate: &Gate,
) -> anyhow::Result<Router> {
    let pool = migrations::query_pool(url.reveal(), settings.postgres.max_connections)?;
    let options = QueryOptions {
        trust_tenant_header: address.ip().is_loopback(),
        trace: ::projectors::trace,
        shutdown: process.halt.clone(),
        ..QueryOptions::default()
    };
    Ok(gate.guard(::query_api::router(pool, options)))
}

/// Answers in place of the read side where no database is configured.
pub(crate) fn without_database() -> Router {
    let answer = || async { problem(Code::Unavailable, NO_DATABASE) };
    Router::new()
        .route("/graphql", any(answer))
        .route("/graphql/{*rest}", any(answer))
        .route("/", any(answer))
}

/// Opens `gate` when the database has the shape of this release; a newer one is never read.
///
/// # Errors
/// When the address of Postgres cannot be used.
fn await_schema(process: &Process, url: &PostgresUrl, gate: Gate) -> anyhow::Result<()> {
    process.health.starting(PART, "the database is not migrated yet");
    let (pool, health, halt) = (plain_pool(url)?, process.health.clone(), process.halt.clone());
    process.spawn(async move {
        let look = async {
            while let Err(error) = migrations::check_version(&pool).await {
                health.waiting(PART, error.to_string());
                tokio::time::sleep(LOOK_EVERY).await;
            }
            gate.open();
            health.ready(PART);
        };
        tokio::select! {
            () = look => {}
            () = halt.cancelled() => {}
        }
    });
    Ok(())
}

/// Runs the read side alone until a signal.
///
/// # Errors
/// When a port is taken, or no database is configured.
pub(crate) async fn run(settings: &Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let url = settings.postgres.url.clone().context(NO_DATABASE)?;
    let listener = listen(settings.server.listen, DEFAULT_LISTEN, "--listen").await?;
    let process = Process::new(settings, stop, END_WITHIN).await?;
    watch_postgres(&process, &url)?;
    let gate = Gate::default();
    await_schema(&process, &url, gate.clone())?;
    let address = listener.local_addr()?;
    tracing::info!(%address, ops = %process.ops_address, "queries are answered");
    process.serve("queries", listener, router(settings, &url, address, &process, &gate)?);
    process.await_stop().await;
    process.end(std::future::ready(())).await;
    Ok(())
}
