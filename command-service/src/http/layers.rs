//! What every response passes: request id, problems as JSON, panics as problems, metrics.

use std::any::Any;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use schemas::problem::Code;
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use super::head::is_id;
use super::rejection::Rejection;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the routes of one address their 404 and 405, request ids, metrics, and a 500 for a panic.
/// Called once, last, on everything that shares the address.
pub fn with_layers(router: Router) -> Router {
    router
        .fallback(|uri: Uri| async move {
            let path: String = uri.path().chars().take(200).collect();
            Rejection::new(Code::UnknownRoute, format!("{path} is no address of this service"))
        })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            let path: String = uri.path().chars().take(200).collect();
            Rejection::new(Code::MethodNotAllowed, format!("{path} does not take {method}"))
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(observe))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer gives the panic away")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("not a text"), "a request made the service panic");
    Rejection::new(Code::Internal, "the service met an error of its own; its log has more").into_response()
}

async fn observe(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let given = request.headers().get(&REQUEST_ID).filter(|id| id.to_str().is_ok_and(is_id)).cloned();
    let bad = given.is_none() && request.headers().contains_key(&REQUEST_ID);
    let id = given.unwrap_or_else(|| {
        HeaderValue::from_str(&Uuid::new_v4().to_string()).expect("a UUID is visible ASCII")
    });
    let mut response = if bad {
        Rejection::new(Code::InvalidHeader, "x-request-id must have 1 to 128 visible ASCII characters")
            .into_response()
    } else {
        next.run(request).await
    };
    if let Some(rejection) = response.extensions_mut().remove::<Rejection>() {
        write_problem(&mut response, rejection, &id);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    let route = path.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let status = response.status().as_str().to_owned();
    metrics::counter!("gesta_http_requests_total", "route" => route.clone(), "status" => status).increment(1);
    metrics::histogram!("gesta_http_request_duration_seconds", "route" => route)
        .record(begun.elapsed().as_secs_f64());
    response
}

fn write_problem(response: &mut Response, mut rejection: Rejection, id: &HeaderValue) {
    rejection.0.instance = id.to_str().ok().map(str::to_owned);
    let text = serde_json::to_string(&rejection.0).expect("a problem has text keys only");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(text);
}
