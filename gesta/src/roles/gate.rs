//! Keeps queries from a database that does not have the shape of this release yet: before the first
//! migration there is neither a table nor the role that reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use schemas::problem::Code;
use serde_json::json;

/// Seconds after which a refused client asks again.
const RETRY_AFTER_SECONDS: &str = "1";

/// Closed until someone has seen that the database can be read. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Lets queries through from now on.
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// `router` behind this gate.
    pub(crate) fn guard(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), pass))
    }
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let asks = matches!(request.uri().path(), "/graphql" | "/graphql/ws");
    if gate.is_open() || !asks { next.run(request).await } else { not_yet() }
}

/// The refusal in the form of a GraphQL answer.
fn not_yet() -> Response {
    let message =
        "the read models are being made, or their database does not answer; commands go on, ask again";
    let error = json!({ "message": message, "extensions": { "code": Code::NotReady.name() } });
    let headers = [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)];
    (StatusCode::SERVICE_UNAVAILABLE, headers, Json(json!({ "errors": [error] }))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn queries_wait_for_the_gate_and_pages_do_not() {
        let answer = || async { "reached" };
        let gate = Gate::default();
        let router = gate.guard(Router::new().route("/", get(answer)).route("/graphql", get(answer)));
        let status = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!((status("/graphql").await, status("/").await), (503, 200));
        gate.open();
        assert_eq!(status("/graphql").await, 200);
    }
}
