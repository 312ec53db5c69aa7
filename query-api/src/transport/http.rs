//! GraphQL over HTTP: GET for queries, POST of JSON, one operation per request.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{ServerError, Value};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use schemas::problem::Code;
use serde::Serialize;

use crate::engine::{Answer, Ask, Engine, Stage};
use crate::limits;
use crate::problem::Problem;
use crate::transport::caller::Caller;
use crate::transport::media::{self, Media};
use crate::transport::params;

/// Status of a document that does not parse, validate or pass the guard. The draft of 2026-08 asks
/// for 422; the audit package that the tests run still asks for 400.
const DOCUMENT_STATUS: StatusCode = StatusCode::BAD_REQUEST;

/// Methods that the endpoint knows.
const ALLOWED: &str = "GET, POST";

/// The endpoint `/graphql`.
pub(crate) async fn handle(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let media = match media::negotiate(request.headers()) {
        Ok(media) => media,
        Err(problem) => return refuse(Media::Json, problem),
    };
    match answer(&engine, request).await {
        Ok(answer) => render(media, &answer),
        Err(problem) => refuse(media, problem),
    }
}

async fn answer(engine: &Engine, request: Request) -> Result<Answer, Problem> {
    let by_get = request.method() == Method::GET;
    if !by_get && request.method() != Method::POST {
        return Err(Problem::new(Code::MethodNotAllowed, "send a query with GET or POST"));
    }
    let caller = Caller::of(request.headers(), request.uri(), &engine.options)?;
    let ask = if by_get { params::from_uri(request.uri())? } else { read_body(request).await? };
    let prepared = match engine.prepare(ask, &caller) {
        Ok(prepared) => prepared,
        Err(refused) => return Ok(*refused),
    };
    match prepared.kind {
        OperationType::Mutation if by_get => Err(Problem::new(
            Code::MethodNotAllowed,
            "GET is for queries; commands are sent with POST to /api/v1",
        )),
        OperationType::Subscription => {
            let detail = "subscriptions are served over WebSocket at /graphql/ws (graphql-transport-ws)";
            Ok(Answer::problem(Stage::Document, Problem::new(Code::InvalidQuery, detail)))
        }
        _ => Ok(engine.execute(prepared).await),
    }
}

async fn read_body(request: Request) -> Result<Ask, Problem> {
    media::require_json(request.headers())?;
    let read = tokio::time::timeout(limits::BODY_TIMEOUT, Bytes::from_request(request, &())).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)))) => {
            let detail = format!("send at most {} KiB", limits::MAX_BODY_BYTES / 1024);
            return Err(Problem::new(Code::BodyTooLarge, detail));
        }
        Ok(Err(_)) | Err(_) => return Err(Problem::new(Code::InvalidJson, "the body did not arrive whole")),
    };
    params::from_json(&body)
}

/// The answer as it is written: errors first, no `data` for a request that was not executed.
#[derive(Serialize)]
struct Wire<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    extensions: &'a std::collections::BTreeMap<String, Value>,
}

/// The JSON of an answer.
///
/// # Errors
/// `query_too_costly` when it is larger than [`limits::MAX_ANSWER_BYTES`].
pub(crate) fn encode(answer: &Answer) -> Result<Vec<u8>, Problem> {
    let Answer { stage, response } = answer;
    let data = (*stage == Stage::Executed).then_some(&response.data);
    let wire = Wire { errors: &response.errors, data, extensions: &response.extensions };
    let text = serde_json::to_vec(&wire).map_err(|error| crate::problem::internal(&error))?;
    if text.len() > limits::MAX_ANSWER_BYTES {
        let detail =
            format!("the answer is larger than {} MiB; ask for less", limits::MAX_ANSWER_BYTES >> 20);
        return Err(Problem::new(Code::QueryTooCostly, detail));
    }
    Ok(text)
}

fn render(media: Media, answer: &Answer) -> Response {
    let status = match (answer.stage, media) {
        (Stage::Service(code), _) => status_of(code),
        (Stage::Document, Media::GraphqlResponse) => DOCUMENT_STATUS,
        (Stage::Document, Media::Json) | (Stage::Executed, _) => StatusCode::OK,
    };
    match encode(answer) {
        Ok(body) => respond(status, media, body),
        Err(problem) => refuse(media, problem),
    }
}

/// A request that is not one of GraphQL: its own status whatever the media type.
pub(crate) fn refuse(media: Media, problem: Problem) -> Response {
    let code = problem.code;
    let answer = Answer::problem(Stage::Service(code), problem);
    let body = encode(&answer).expect("one error is far smaller than the largest answer");
    let mut response = respond(status_of(code), media, body);
    if code == Code::MethodNotAllowed {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(ALLOWED));
    }
    response
}

fn status_of(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn respond(status: StatusCode, media: Media, body: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    let fixed: [(HeaderName, &'static str); 3] =
        [(CONTENT_TYPE, media.content_type()), (VARY, "Accept, X-Gesta-Tenant"), (CACHE_CONTROL, "no-store")];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    (status, headers, body).into_response()
}
