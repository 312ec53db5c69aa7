//! The HTTP edge: requests become submissions, answers become responses. It needs no state of any
//! aggregate, so every replica can do it.

mod batch;
mod body;
mod catalogue;
mod config;
mod handle;
mod head;
mod layers;
mod prepare;
mod rejection;
mod reply;
pub mod serve;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, get, on, post};
use bytes::Bytes;
use schemas::endpoint::{BATCH_PATH, Method, endpoints};
use schemas::problem::Code;

pub use config::{EdgeConfig, Queues};
pub use layers::with_layers;

use crate::service::Service;
use rejection::Rejection;

/// Header of the documents.
const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// The OpenAPI document, written once.
static OPENAPI: LazyLock<Bytes> = LazyLock::new(|| schemas::openapi::document().to_string().into());

/// The AsyncAPI document of the public topics, written once.
static ASYNCAPI: LazyLock<Bytes> = LazyLock::new(|| schemas::asyncapi::document().to_string().into());

/// What every handler needs.
#[derive(Debug)]
struct Edge {
    service: Service,
    config: EdgeConfig,
}

/// The routes of the command API, its OpenAPI document and the AsyncAPI document of its events. They stand without 404, 405, request ids
/// and metrics: join what shall share an address, then put it through [`with_layers`].
pub fn router(service: Service, config: EdgeConfig) -> Router {
    catalogue::compile();
    let mut router = Router::new();
    for endpoint in endpoints() {
        let method = match endpoint.method {
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        };
        let command = endpoint.command;
        let handler = if endpoint.path.contains("{id}") {
            on(
                method,
                move |State(edge), id: Result<Path<String>, PathRejection>, request: Request| async move {
                    match id {
                        Ok(Path(id)) => handle::one(edge, command, Some(id), request).await,
                        Err(error) => Rejection::new(Code::InvalidId, error.body_text()).into_response(),
                    }
                },
            )
        } else {
            on(method, move |State(edge), request: Request| handle::one(edge, command, None, request))
        };
        router = router.route(&endpoint.path, handler);
    }
    router
        .route(BATCH_PATH, post(batch::many))
        .route("/openapi.json", get(|| async { (JSON, OPENAPI.clone()) }))
        .route("/asyncapi.json", get(|| async { (JSON, ASYNCAPI.clone()) }))
        .with_state(Arc::new(Edge { service, config }))
}
