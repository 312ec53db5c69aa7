//! Problems on their way out. The request id comes in where every response passes ([`super::layers`]).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::answer::{FieldError, Problem};
use schemas::json::JsonError;
use schemas::problem::Code;

/// Seconds after which a client may try again what met a full queue or a shard that is being claimed.
const RETRY_SOON: u16 = 1;
/// The same for a shard that waits for an operator.
const RETRY_LATE: u16 = 30;

/// Nothing was done, or nobody knows.
#[derive(Debug, Clone)]
pub(super) struct Rejection(pub(super) Box<Problem>);

impl Rejection {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    /// With one fault at a place of the body.
    pub(super) fn at(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let (pointer, message) = (pointer.into(), message.into());
        let place = if pointer.is_empty() { "the body" } else { &pointer };
        let mut rejection = Self::new(code, format!("{place}: {message}"));
        rejection.0.errors.push(FieldError { pointer, message });
        rejection
    }

    pub(super) fn with_key(mut self, key: &str) -> Self {
        self.0.key = Some(key.to_owned());
        self
    }
}

impl From<JsonError> for Rejection {
    fn from(error: JsonError) -> Self {
        let code = error.code();
        match error {
            JsonError::Invalid(reason) => Self::at(code, "", reason),
            JsonError::TooDeep { .. } => Self::new(code, error.to_string()),
            JsonError::DuplicateKey { pointer } => {
                Self::at(code, pointer, "this key stands twice in its object")
            }
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = if self.0.code == Code::ShardStopped.name() { RETRY_LATE } else { RETRY_SOON };
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(status.as_u16(), 408 | 413) {
            // What is left of the body is not read.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
