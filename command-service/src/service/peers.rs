//! One hop from the process that a client asked to the process that owns the shard, and the address where hops
//! arrive. The secret shows that the other side belongs to the deployment: it says who acts and for which tenant.

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use schemas::problem::Code;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::wire::{AskIn, AskOut};
use super::{Service, wire};
use crate::command::{Answer, Submission};
use crate::shard::Mode;

/// Where hops arrive.
const PATH: &str = "/internal/v1/ask";
const SECRET: HeaderName = HeaderName::from_static("x-gesta-secret");
/// How many processes a command has passed; one hop is all there is.
const HOPS: HeaderName = HeaderName::from_static("x-gesta-hops");
/// Most bytes of a hop: a command's body, resolved, and its attributes.
const MAX_ASK_BYTES: usize = 1024 * 1024;
/// Most bytes of its answer: the leases of a claim carry the payloads of their tasks.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// A process that takes longer to accept a connection is away.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an idle connection to another process is kept.
const IDLE: Duration = Duration::from_secs(30);

/// What became of a hop.
pub(super) enum Hop {
    /// The answer of the other process.
    Answered(Answer),
    /// Nothing was executed.
    NotSent(String),
    /// It may have been executed.
    Broken,
}

/// The way to the other processes.
pub(super) struct Peers {
    address: Arc<str>,
    secret: String,
    client: Client<HttpConnector, Body>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Peers {
    pub(super) fn new(address: Arc<str>, secret: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { address, secret: secret.to_owned(), client }
    }

    /// Where the others reach this process.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Asks the process at `address`.
    pub(super) async fn ask(
        &self,
        address: &str,
        mode: Mode,
        submission: &Submission,
        deadline: Instant,
    ) -> Hop {
        let begun = Clock::now();
        let wait = deadline.saturating_duration_since(Instant::now());
        let hop = tokio::time::timeout(wait, self.send(address, AskOut::new(mode, submission, wait)));
        let hop = hop.await.unwrap_or(Hop::Broken);
        let outcome = match &hop {
            Hop::Answered(Answer::Failed { code: Code::NotReady, .. }) => "not_owner",
            Hop::Answered(_) => "answered",
            Hop::NotSent(_) => "not_sent",
            Hop::Broken => "broken",
        };
        metrics::counter!("gesta_hops_total", "outcome" => outcome).increment(1);
        metrics::histogram!("gesta_hop_seconds").record(begun.elapsed());
        hop
    }

    async fn send(&self, address: &str, ask: AskOut<'_>) -> Hop {
        let body = serde_json::to_vec(&ask).expect("a submission has text keys only, so JSON can write it");
        let request = Request::post(format!("http://{address}{PATH}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(SECRET, &self.secret)
            .header(HOPS, "1")
            .body(Body::from(body));
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                return Hop::NotSent(format!("the owner's address {address} cannot be used: {error}"));
            }
        };
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Hop::NotSent(format!("the owner at {address} is not reached; nothing was written"));
            }
            Err(_) => return Hop::Broken,
        };
        let status = response.status();
        let Ok(body) = to_bytes(Body::new(response.into_body()), MAX_ANSWER_BYTES).await else {
            return Hop::Broken;
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Hop::NotSent(format!("the owner at {address} is not ready yet; nothing was written"));
        }
        if status != StatusCode::OK {
            let said = String::from_utf8_lossy(&body).into_owned();
            tracing::error!(%address, %status, said, "the owner of a shard refuses this process");
            let advice =
                if status == StatusCode::UNAUTHORIZED { "compare peers.secret" } else { "see its log" };
            return Hop::NotSent(format!(
                "the owner at {address} refuses this process; {advice}; nothing was written"
            ));
        }
        match wire::read_answer(&body) {
            Ok(answer) => Hop::Answered(answer),
            Err(error) => {
                tracing::error!(%address, %error, "the answer of another process cannot be read");
                Hop::Broken
            }
        }
    }
}

/// The address where other processes ask this one; reachable for them only, or with a `secret` that only they know.
pub fn peer_router(service: Service, secret: &str) -> Router {
    let arrival = Arrival { service, secret: digest(secret.as_bytes()) };
    Router::new()
        .route(PATH, post(arrive))
        .layer(DefaultBodyLimit::max(MAX_ASK_BYTES))
        .with_state(Arc::new(arrival))
}

struct Arrival {
    service: Service,
    secret: [u8; 32],
}

/// Digests are compared, so the time that takes says nothing about the secret.
fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

async fn arrive(State(arrival): State<Arc<Arrival>>, headers: HeaderMap, body: Bytes) -> Response {
    let given = headers.get(SECRET).map_or(&[][..], |value| value.as_bytes());
    if digest(given) != arrival.secret {
        return (StatusCode::UNAUTHORIZED, "peers.secret differs").into_response();
    }
    if headers.get(HOPS).is_none_or(|hops| hops != "1") {
        return (StatusCode::BAD_REQUEST, "a command makes one hop").into_response();
    }
    let ask: AskIn = match serde_json::from_slice(&body) {
        Ok(ask) => ask,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let (mode, deadline) = (ask.mode, Instant::now() + ask.wait());
    let submission = match ask.submission() {
        Ok(submission) => submission,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    metrics::counter!("gesta_hops_served_total").increment(1);
    let answer = arrival.service.ask_here(mode, submission, deadline).await;
    ([(header::CONTENT_TYPE, "application/json")], wire::write_answer(&answer)).into_response()
}
