//! The edge in front of real shards on a log in memory.

mod bad_input;
mod commands;
mod connections;
mod retries;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use event_log::{Log, MemoryOptions};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{EdgeConfig, Queues, router, with_layers};
use crate::service::{Service, ServiceOptions};

/// Largest answer that a test reads, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// One answer.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A router with a service of its own.
async fn start(config: EdgeConfig) -> Router {
    let log = Log::memory(MemoryOptions::default());
    let service = Service::start(&log, &ServiceOptions::default()).unwrap();
    service.ready().await;
    with_layers(router(service, config))
}

async fn started() -> Router {
    start(EdgeConfig { queues: Queues::default(), trusts_headers: true }).await
}

async fn send(router: &Router, request: Request<Body>) -> Got {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_ANSWER).await.unwrap();
    Got { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.into()).unwrap() }
}

/// A request with a JSON body and headers.
fn request(method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

async fn post(router: &Router, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Got {
    send(router, request(Method::POST, path, headers, body)).await
}

/// Creates a task in queue `q` and gives its id.
async fn task(router: &Router, body: &str) -> String {
    let got = post(router, "/api/v1/tasks", &[], body.to_owned()).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    got.json()["aggregateId"].as_str().unwrap().to_owned()
}

const TASK: &str = r#"{"queue":"q","type":"t","title":"one"}"#;
