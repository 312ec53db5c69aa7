//! The query side: GraphQL over the read models, live subscriptions, consistency tokens.
//!
//! A request passes the guard (linear in its length), waits for its token, and is then answered from
//! one snapshot of the database. The library knows `schemas` and `migrations` and nothing of the log.

mod cursor;
mod engine;
mod feed;
mod guard;
mod limits;
mod problem;
mod progress;
mod read_models;
mod reader;
mod schema;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use migrations::trace::Tracer;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use engine::Engine;
use transport::sockets::Sockets;

/// The explorer: one page without any part from elsewhere.
const EXPLORER: &str = include_str!("explorer.html");

/// The page may load nothing and talk to this server only.
const EXPLORER_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// How long a query waits for its consistency token.
    pub token_wait: Duration,
    /// Whether the header `X-Gesta-Tenant` is believed; on loopback addresses only.
    pub trust_tenant_header: bool,
    /// Whether the schema can be asked for (introspection, `/graphql/schema`).
    pub introspection: bool,
    /// Origins of pages that may ask besides this server's own, for example `https://ui.example.com`.
    pub allowed_origins: Vec<String>,
    /// Folds the events of one row's stream, for the provenance of one column of it.
    pub trace: Tracer,
    /// Cancelled when the service stops: open sockets are closed with 1001.
    pub shutdown: CancellationToken,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            token_wait: limits::TOKEN_WAIT,
            trust_tenant_header: true,
            introspection: true,
            allowed_origins: Vec::new(),
            trace: |_, _, _| None,
            shutdown: CancellationToken::new(),
        }
    }
}

/// The routes: `/graphql` (GET, POST), `/graphql/ws` (graphql-transport-ws), `/graphql/schema` (SDL)
/// and the explorer at `/`.
///
/// `pool` acts as the query role ([`migrations::query_pool`]); one of its connections is kept for
/// notifications once a token is waited for or a subscription runs, so it needs at least two.
pub fn router(pool: PgPool, options: QueryOptions) -> Router {
    let engine = Arc::new(Engine::new(pool, options));
    let sockets = Router::new()
        .route("/graphql/ws", any(transport::ws::handle))
        .with_state((engine.clone(), Sockets::default()));
    Router::new()
        .route("/", get(explorer))
        .route("/graphql", any(transport::http::handle))
        .route("/graphql/schema", get(sdl))
        .layer(DefaultBodyLimit::max(limits::MAX_BODY_BYTES))
        .with_state(engine)
        .merge(sockets)
}

/// The schema as text (SDL), as committed in `query-api/schema.graphql`.
#[must_use]
pub fn schema_sdl() -> String {
    schema::sdl(&schema::build(true))
}

async fn explorer() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, EXPLORER_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, EXPLORER)
}

async fn sdl(State(engine): State<Arc<Engine>>) -> axum::response::Response {
    if !engine.options.introspection {
        let problem =
            problem::Problem::new(schemas::problem::Code::UnknownRoute, "the schema is not given out here");
        return transport::http::refuse(transport::media::Media::Json, problem);
    }
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], engine.sdl()).into_response()
}
