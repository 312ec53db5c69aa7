//! One command in one request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::contract::CommandType;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Edge;
use super::body::{self, MAX_BODY};
use super::head::Head;
use super::prepare::prepare;
use super::rejection::Rejection;
use super::reply::{Reply, reply};

const JSON: &str = "application/json";
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
const CAUSATION: HeaderName = HeaderName::from_static("x-causation-id");

/// Answers one command.
pub(super) async fn one(
    edge: Arc<Edge>,
    command: &'static CommandType,
    id: Option<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let head = match Head::read(&parts, Some(command.address), &edge.config) {
        Ok(head) => head,
        Err(rejection) => return rejection.into_response(),
    };
    let key = head.key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let causation = head.causation.clone().unwrap_or_else(|| key.clone());
    let (correlation, applied) = (head.correlation.clone(), head.wait_asked.then_some(head.wait));
    let outcome = submit(&edge, command, id.as_deref(), &key, &head, &parts, body).await;
    let mut response = outcome.map_or_else(IntoResponse::into_response, |reply| success(&reply));
    let headers = response.headers_mut();
    insert(headers, KEY, &key);
    insert(headers, CORRELATION, &correlation);
    insert(headers, CAUSATION, &causation);
    if let Some(applied) = applied {
        insert(headers, APPLIED, &format!("wait={}", applied.as_secs()));
    }
    response
}

async fn submit(
    edge: &Edge,
    command: &'static CommandType,
    id: Option<&str>,
    key: &str,
    head: &Head,
    parts: &Parts,
    body: Body,
) -> Result<Reply, Rejection> {
    let bytes = body::read(&parts.headers, body, JSON, MAX_BODY).await?;
    let body = if bytes.is_empty() { Value::Object(Map::new()) } else { schemas::json::parse(&bytes)? };
    let submission = prepare(&edge.config, head, command, key.to_owned(), id, body)?;
    let answer = edge.service.submit(submission, head.wait).await;
    reply(command, head.dry_run, key, answer)
}

fn success(reply: &Reply) -> Response {
    let text = serde_json::to_string(&reply.body).expect("an answer has text keys only");
    let status = StatusCode::from_u16(reply.status).expect("200 or 201");
    let mut response = (status, [(header::CONTENT_TYPE, JSON)], text).into_response();
    let headers = response.headers_mut();
    if let Some(version) = reply.version {
        insert(headers, header::ETAG, &format!("\"{version}\""));
    }
    if let Some(location) = &reply.location {
        insert(headers, header::LOCATION, location);
    }
    if reply.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Every value is visible ASCII: made here, or checked when it came in.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
