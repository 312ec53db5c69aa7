//! The second port: health, metrics, version, and the stream of events.

use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use event_log::Log;
use metrics_exporter_prometheus::PrometheusHandle;
use schemas::answer::Problem;
use schemas::problem::Code;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::health::Health;
use crate::feed::{Feed, FeedError, Filter, From};

/// Commits that wait for a slow listener; then reading waits for it.
const STREAM_BUFFER: usize = 64;
/// Bytes that are sent together while more stands ready.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the second port knows.
#[derive(Clone)]
pub(crate) struct Ops {
    /// The parts of the process.
    pub(crate) health: Health,
    /// The metrics of the process.
    pub(crate) metrics: PrometheusHandle,
    /// The log, once it is open, where this process has one.
    pub(crate) log: Arc<OnceLock<Log>>,
    /// Where other processes of the command side ask this one, once it takes part.
    pub(crate) peers: Arc<OnceLock<Router>>,
    /// Cancelled when the process stops; ends the streams.
    pub(crate) stop: CancellationToken,
}

/// The routes of the second port.
pub(crate) fn router(ops: Ops) -> Router {
    Router::new()
        .route("/livez", get(|| async { Json(json!({ "alive": true })) }))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/metrics", get(metrics))
        .route("/version", get(|| async { Json(version()) }))
        .route("/events", get(events))
        .route("/internal/{*rest}", any(peers))
        .with_state(ops)
}

/// Name and version of this program.
pub(crate) fn version() -> serde_json::Value {
    json!({ "name": "gesta", "version": env!("CARGO_PKG_VERSION"), "logFormat": event_log::FORMAT })
}

fn status(ok: bool) -> StatusCode {
    if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn readyz(State(ops): State<Ops>) -> Response {
    let readiness = ops.health.readiness();
    (status(readiness.ready), Json(readiness)).into_response()
}

async fn startupz(State(ops): State<Ops>) -> Response {
    let readiness = ops.health.readiness();
    (status(readiness.started), Json(readiness)).into_response()
}

async fn metrics(State(ops): State<Ops>) -> Response {
    metrics_process::Collector::default().collect();
    ops.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], ops.metrics.render()).into_response()
}

/// Other processes of the command side.
async fn peers(State(ops): State<Ops>, request: Request) -> Response {
    match ops.peers.get() {
        Some(router) => router.clone().oneshot(request).await.into_response(),
        None => problem(Code::NotReady, "this process takes no commands, or not yet"),
    }
}

pub(super) fn problem(code: Code, detail: &str) -> Response {
    let body = serde_json::to_string(&Problem::new(code, detail)).expect("a problem is plain data");
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

/// The query of `GET /events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    from: Option<String>,
    /// Event types, separated by commas; one may end with `*`.
    r#type: Option<String>,
    subject: Option<String>,
    tenant: Option<String>,
    correlation: Option<String>,
    #[serde(default)]
    follow: bool,
}

async fn events(
    State(ops): State<Ops>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(rejection) => return problem(Code::InvalidQuery, &rejection.body_text()),
    };
    let Some(log) = ops.log.get().cloned() else {
        return problem(
            Code::NotReady,
            "this process has no log, or not yet; ask one of the command-service",
        );
    };
    let from = match asked.from.as_deref().unwrap_or("beginning").parse::<From>() {
        Ok(from) => from,
        Err(error) => return problem(Code::InvalidToken, &error),
    };
    let types = asked.r#type.iter().flat_map(|types| types.split(',')).map(str::to_owned).collect();
    let filter =
        Filter { types, subject: asked.subject, tenant: asked.tenant, correlation: asked.correlation };
    match Feed::new(log, from, filter).await {
        Ok(feed) => stream(feed, asked.follow, ops.stop),
        Err(error @ FeedError::Generation { .. }) => problem(Code::InvalidToken, &error.to_string()),
        Err(error) => problem(Code::ShardStopped, &error.to_string()),
    }
}

fn stream(feed: Feed, follow: bool, stop: CancellationToken) -> Response {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, FeedError>>(STREAM_BUFFER);
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            pumped = pump(feed, follow, &sender) => if let Err(error) = pumped {
                tracing::error!(%error, "the event stream broke off");
                sender.send(Err(error)).await.ok();
            },
            () = stop.cancelled() => {}
            () = gone.closed() => {}
        }
    });
    let chunks = futures_util::stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    (
        [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")],
        Body::from_stream(chunks),
    )
        .into_response()
}

/// Sends lines in chunks until the end of the log or, when following, until nobody listens.
async fn pump(
    mut feed: Feed,
    follow: bool,
    sender: &mpsc::Sender<Result<Bytes, FeedError>>,
) -> Result<(), FeedError> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    while let Some(lines) = feed.next().await? {
        append(&mut chunk, &lines);
        if chunk.len() >= CHUNK_BYTES && sender.send(Ok(std::mem::take(&mut chunk).into())).await.is_err() {
            return Ok(());
        }
    }
    let mut open = sender.send(Ok(chunk.into())).await.is_ok();
    while follow && open {
        let mut chunk = Vec::new();
        append(&mut chunk, &feed.follow().await?);
        open = sender.send(Ok(chunk.into())).await.is_ok();
    }
    Ok(())
}

fn append(chunk: &mut Vec<u8>, lines: &[String]) {
    for line in lines {
        chunk.extend_from_slice(line.as_bytes());
        chunk.push(b'\n');
    }
}
