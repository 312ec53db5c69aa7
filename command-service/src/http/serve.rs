//! The accept loop of every address that Gesta listens on: bounded connections, timers against slow
//! and idle clients, an end in bounded time. Knows nothing of what it serves.

mod clients;
mod stream;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use clients::{Clients, Place};
use stream::{Activity, Guarded};

/// Most connections of one address, idle ones included.
pub const MAX_CONNECTIONS: usize = 12_000;
/// Most connections of one client (an IPv4 address, an IPv6 network of 64 bits), so that no client alone
/// takes every place.
pub const MAX_CONNECTIONS_PER_CLIENT: usize = 10_500;
/// Open files that connections leave to the rest of the process.
const RESERVED_FILES: u64 = 256;
/// Most open files that [`raise_open_files`] asks for.
const WANTED_FILES: u64 = 65_536;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// Wait after an error of `accept`, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits of one address.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections at once; more wait until one ends.
    pub connections: usize,
    /// Most connections of one client at once; more are closed.
    pub per_client: usize,
    /// A request's head must be there this long after its first byte.
    pub head: Duration,
    /// A connection without a request ends after this time.
    pub idle: Duration,
    /// A client must take some of its response within this time.
    pub write_stall: Duration,
    /// Requests in progress may take this long after the stop; then they are cut.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let files =
            getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(RESERVED_FILES).max(1);
        let connections = usize::try_from(files).unwrap_or(MAX_CONNECTIONS).min(MAX_CONNECTIONS);
        Self {
            connections,
            // Where fewer files may be open, the same share of them.
            per_client: (connections * MAX_CONNECTIONS_PER_CLIENT).div_ceil(MAX_CONNECTIONS),
            head: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            write_stall: Duration::from_secs(10),
            drain: Duration::from_secs(3),
        }
    }
}

/// Lets this process open as many files as the system allows it, at most 65,536, and says how many.
/// Called once by an executable, before it listens: many systems start processes with 1,024.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let (current, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    let wanted = most.min(WANTED_FILES);
    if current >= wanted || setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).is_err() {
        return current;
    }
    wanted
}

/// Serves `router` until `stop`; then takes no connection more, ends idle ones, and returns when the
/// requests in progress are answered or the drain time is over.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let (places, connections, cut) = (Places::new(limits), TaskTracker::new(), CancellationToken::new());
    while let Some((socket, place)) = accept(&listener, &places, &stop).await {
        let (router, stop, cut) = (router.clone(), stop.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection(socket, router, limits, stop) => {}
                () = cut.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests were still in progress at the end of the drain time"
        );
        cut.cancel();
        connections.wait().await;
    }
}

/// The places of the connections.
struct Places {
    all: Arc<Semaphore>,
    clients: Clients,
    per_client: usize,
}

impl Places {
    fn new(limits: Limits) -> Self {
        let all = Arc::new(Semaphore::new(limits.connections));
        Self { all, clients: Clients::default(), per_client: limits.per_client }
    }

    /// The next connection of a client that has a place left.
    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, (OwnedSemaphorePermit, Place))> {
        let place = Arc::clone(&self.all).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => match self.clients.enter(peer.ip(), self.per_client) {
                    Some(of_client) => return Some((socket, (place, of_client))),
                    None => {
                        metrics::counter!("gesta_http_connections_refused_total").increment(1);
                        tracing::debug!(%peer, "closed: this client has too many connections");
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// The next connection, with its place among the bounded number of them; `None` after the stop.
async fn accept(
    listener: &TcpListener,
    places: &Places,
    stop: &CancellationToken,
) -> Option<(TcpStream, (OwnedSemaphorePermit, Place))> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = places.accept(listener) => accepted,
    }
}

/// Bytes of a request's head. hyper bounds its buffer, which may be larger than what it was told.
fn head_size(request: &hyper::Request<hyper::body::Incoming>) -> usize {
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    request
        .headers()
        .iter()
        .fold(path, |sum, (name, value)| sum + name.as_str().len() + value.len() + ": \r\n".len())
}

/// The same answer that hyper gives to too many headers.
fn too_large() -> Response {
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, [(header::CONNECTION, "close")]).into_response()
}

async fn connection(socket: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    metrics::gauge!("gesta_http_connections").increment(1);
    let activity = Activity::default();
    let guarded = Guarded::new(socket, activity.clone(), limits);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        activity.begin();
        let (activity, router) = (activity.clone(), router.clone());
        async move {
            if head_size(&request) > MAX_HEAD {
                activity.end();
                return Ok(too_large());
            }
            let response = router.oneshot(request.map(Body::new)).await;
            let upgraded =
                response.as_ref().is_ok_and(|response| response.status() == StatusCode::SWITCHING_PROTOCOLS);
            // What follows an upgrade is no request: its own protocol keeps watch.
            if !upgraded {
                activity.end();
            }
            response.map_err(|never: Infallible| never)
        }
    });
    let mut builder = http1::Builder::new();
    // hyper's timer runs from the end of the former request: it is the idle timer. The one for heads
    // begins with their first byte and stands in `Guarded`.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(guarded), service).with_upgrades());
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    metrics::gauge!("gesta_http_connections").decrement(1);
}
