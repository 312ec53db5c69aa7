//! Many commands in one request: NDJSON in, NDJSON out, line by line.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use schemas::answer::Problem;
use schemas::contract::{Address, CommandType};
use schemas::ids::Stream;
use schemas::problem::Code;
use schemas::registry::command_type;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Edge;
use super::body::{self, MAX_BODY};
use super::head::{Head, is_id};
use super::prepare::prepare;
use super::rejection::Rejection;
use super::reply::{Body, reply};
use crate::command::Submission;

const NDJSON: &str = "application/x-ndjson";
/// Most commands of one batch.
const MAX_LINES: usize = 1_000;
/// Largest batch, in bytes.
const MAX_BATCH: usize = 8 * 1024 * 1024;
/// Largest line: a body and its envelope, in bytes.
const MAX_LINE: usize = MAX_BODY + 1024;

/// One command of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    command: String,
    id: Option<String>,
    key: Option<String>,
    body: Option<Value>,
}

/// The answer to one line.
#[derive(Debug, Serialize)]
struct LineAnswer {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Box<Problem>>,
}

/// A line that can be sent to its shard.
struct Ready {
    command: &'static CommandType,
    submission: Submission,
}

/// Answers a batch. Lines on one aggregate take effect in their order, all others side by side.
pub(super) async fn many(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let read = async {
        let head = Head::read(&parts, None, &edge.config)?;
        let bytes = body::read(&parts.headers, body, NDJSON, MAX_BATCH).await?;
        Ok::<_, Rejection>((head, bytes))
    };
    let (head, bytes) = match read.await {
        Ok(read) => read,
        Err(rejection) => return rejection.into_response(),
    };
    let lines: Vec<&[u8]> =
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
    if lines.len() > MAX_LINES {
        let detail = format!("{} lines; at most {MAX_LINES} are taken", lines.len());
        return Rejection::new(Code::BatchTooLarge, detail).into_response();
    }
    let mut answers: Vec<Option<LineAnswer>> = Vec::with_capacity(lines.len());
    let mut streams: HashMap<Stream, Vec<(usize, Ready)>> = HashMap::new();
    for (index, line) in lines.into_iter().enumerate() {
        let prepared = ready(&edge, &head, line);
        answers.push(prepared.as_ref().err().map(refused));
        if let Ok(ready) = prepared {
            streams.entry(ready.submission.home.clone()).or_default().push((index, ready));
        }
    }
    let mut working: FuturesUnordered<_> =
        streams.into_values().map(|lines| in_order(&edge, &head, lines)).collect();
    while let Some(done) = working.next().await {
        for (index, answer) in done {
            answers[index] = Some(answer);
        }
    }
    let mut text = String::new();
    for answer in answers.into_iter().flatten() {
        text.push_str(&serde_json::to_string(&answer).expect("an answer has text keys only"));
        text.push('\n');
    }
    ([(header::CONTENT_TYPE, NDJSON)], text).into_response()
}

fn ready(edge: &Edge, head: &Head, line: &[u8]) -> Result<Ready, Rejection> {
    if line.len() > MAX_LINE {
        return Err(Rejection::new(
            Code::BodyTooLarge,
            format!("the line has {} bytes, at most {MAX_LINE} are taken", line.len()),
        ));
    }
    let value = schemas::json::parse(line)?;
    let line: Line = serde_json::from_value(value)
        .map_err(|error| Rejection::at(Code::SchemaViolation, "", error.to_string()))?;
    let command = command_type(&line.command).filter(|command| command.address != Address::Internal);
    let command = command.ok_or_else(|| {
        let shown: String = line.command.chars().take(64).collect();
        Rejection::at(Code::SchemaViolation, "/command", format!("there is no command {shown:?}"))
    })?;
    let acts = matches!(command.address, Address::Act(_));
    if acts != line.id.is_some() {
        let message =
            if acts { "this command needs the id of its aggregate" } else { "this command takes no id" };
        return Err(Rejection::at(Code::SchemaViolation, "/id", message));
    }
    let key = line.key.unwrap_or_else(|| Uuid::new_v4().to_string());
    if !is_id(&key) {
        return Err(Rejection::at(
            Code::SchemaViolation,
            "/key",
            "a key has 1 to 128 visible ASCII characters",
        ));
    }
    let body = line.body.unwrap_or_else(|| Value::Object(Map::new()));
    let prepared = prepare(&edge.config, head, command, key.clone(), line.id.as_deref(), body);
    let submission = prepared.map_err(|rejection| inside_body(rejection).with_key(&key))?;
    Ok(Ready { command, submission })
}

/// A line's body is one of its fields: the pointers begin there.
fn inside_body(mut rejection: Rejection) -> Rejection {
    for error in &mut rejection.0.errors {
        error.pointer.insert_str(0, "/body");
    }
    rejection
}

async fn in_order(edge: &Edge, head: &Head, lines: Vec<(usize, Ready)>) -> Vec<(usize, LineAnswer)> {
    let mut answers = Vec::with_capacity(lines.len());
    for (index, Ready { command, submission }) in lines {
        let key = submission.command_id.clone();
        let answer = edge.service.submit(submission, head.wait).await;
        let answer = match reply(command, head.dry_run, &key, answer) {
            Ok(reply) => LineAnswer {
                status: reply.status,
                key: Some(key),
                replayed: reply.replayed,
                answer: Some(reply.body),
                problem: None,
            },
            Err(rejection) => refused(&rejection),
        };
        answers.push((index, answer));
    }
    answers
}

fn refused(rejection: &Rejection) -> LineAnswer {
    let problem = rejection.0.clone();
    LineAnswer {
        status: problem.status,
        key: problem.key.clone(),
        replayed: false,
        answer: None,
        problem: Some(problem),
    }
}
