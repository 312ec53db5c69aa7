//! One client: sends a command until its outcome is known, and writes down every try.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tests::history::{Micros, Operation, Outcome};

use super::Run;

/// Tries of one command before the client gives up for good.
const MAX_TRIES: u32 = 600;
/// How long a patient client asks to be waited for, and how much longer it waits itself: longer than a replica is frozen,
/// so that it hears what one that wakes up has to say.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));
/// Pause before another try.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A command to send.
pub(crate) struct Request<'a> {
    /// Path behind `/api/v1`.
    pub(crate) path: String,
    /// Aggregate it is addressed to; empty for a creation.
    pub(crate) subject: &'a str,
    pub(crate) key: String,
    pub(crate) body: Value,
    /// Sent as `If-Match`.
    pub(crate) expected: Option<u64>,
    /// Whether its client waits long for an answer.
    pub(crate) patient: bool,
}

/// Sends until the outcome is known. The answer's body comes with the outcome.
pub(crate) async fn send(run: &Run, history: &mut Vec<Operation>, request: Request<'_>) -> (Outcome, Value) {
    for _ in 0..MAX_TRIES {
        let (outcome, body) = attempt(run, history, &request).await;
        if outcome != Outcome::Unknown && !is_try_again(&outcome) {
            if matches!(outcome, Outcome::Accepted(_)) {
                run.acknowledged.fetch_add(1, Ordering::Relaxed);
                run.include(body["position"].as_str().unwrap_or_default());
            }
            return (outcome, body);
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    (Outcome::Unknown, Value::Null)
}

fn is_try_again(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(code) if ["busy", "not_ready", "shard_stopped"].contains(&code.as_str()))
}

async fn attempt(run: &Run, history: &mut Vec<Operation>, request: &Request<'_>) -> (Outcome, Value) {
    let body = request.body.to_string();
    let mut http = run
        .http
        .post(format!("{}/api/v1{}", run.replica(), request.path))
        .header("content-type", "application/json")
        .header("idempotency-key", &request.key)
        .body(body.clone());
    if request.patient {
        let prefer = format!("wait={}", PATIENCE.0.as_secs());
        http = http.header("prefer", prefer).timeout(PATIENCE.0 + PATIENCE.1);
    }
    if let Some(version) = request.expected {
        http = http.header("if-match", format!("\"{version}\""));
    }
    let start = now(run);
    let answer = match http.send().await {
        Ok(answer) => {
            let accepted = answer.status().is_success();
            answer.json::<Value>().await.map(|body| (accepted, body))
        }
        Err(error) => Err(error),
    };
    let (outcome, answer) = match answer {
        Ok((accepted, answer)) => (outcome(accepted, &answer, &request.body), answer),
        Err(_) => (Outcome::Unknown, Value::Null),
    };
    history.push(Operation {
        key: request.key.clone(),
        subject: request.subject.to_owned(),
        body,
        expected: request.expected,
        start,
        end: now(run),
        end_wall_ms: chrono::Utc::now().timestamp_millis(),
        outcome: outcome.clone(),
    });
    (outcome, answer)
}

fn now(run: &Run) -> Micros {
    u64::try_from(run.began.elapsed().as_micros()).expect("a run is shorter than 500,000 years")
}

fn outcome(accepted: bool, answer: &Value, body: &Value) -> Outcome {
    if accepted {
        let events = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        return Outcome::Accepted(
            events.iter().map(|e| e["id"].as_str().unwrap_or_default().to_owned()).collect(),
        );
    }
    let number = |field: &str| answer[field].as_u64().unwrap_or_default();
    let token = |of: &Value| of.as_u64().and_then(|token| u32::try_from(token).ok()).unwrap_or_default();
    match answer["code"].as_str().unwrap_or_default() {
        "precondition_failed" | "version_conflict" => {
            Outcome::WrongVersion { actual: number("actualVersion") }
        }
        "stale_fencing_token" => Outcome::StaleToken {
            given: token(&body["fencingToken"]),
            current: token(&answer["currentToken"]),
        },
        "idempotency_key_reused" => Outcome::KeyReused,
        "outcome_unknown" | "internal" => Outcome::Unknown,
        code => Outcome::Failed(code.to_owned()),
    }
}
