//! What one client does: tasks of its own through their whole life, with the mistakes real clients make.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tests::history::{Operation, Outcome};

use super::Run;
use super::client::{Request, send};

/// Progress reports of one attempt.
const PROGRESS_STEPS: u64 = 30;
/// Tries to lease a task that waits for its next attempt.
const LEASE_TRIES: u32 = 500;
/// Pause between them.
const LEASE_PAUSE: Duration = Duration::from_millis(10);
/// Queues of the run; they cover every shard.
const QUEUES: u64 = 32;

/// Every so many clients one is patient.
const PATIENT_EVERY: u64 = 8;

/// `SplitMix64`: a seed gives the same choices in every run.
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

struct Life<'a> {
    run: &'a Run,
    history: Vec<Operation>,
    choices: Choices,
    name: String,
    /// Waits long for an answer.
    patient: bool,
    sent: u64,
    /// The task at hand: id, `task/<id>`, version.
    task: String,
    subject: String,
    version: u64,
}

/// Lives until the run stops.
pub(crate) async fn live(run: Arc<Run>, seed: u64, n: u64) -> Vec<Operation> {
    let mut life = Life {
        run: &run,
        history: Vec::new(),
        choices: Choices(seed),
        name: format!("client-{n}"),
        patient: n.is_multiple_of(PATIENT_EVERY),
        sent: 0,
        task: String::new(),
        subject: String::new(),
        version: 0,
    };
    while !run.is_over() {
        life.one_task().await;
    }
    life.history
}

impl Life<'_> {
    fn key(&mut self) -> String {
        self.sent += 1;
        format!("{}-{}", self.name, self.sent)
    }

    async fn act(&mut self, verb: &str, body: Value, expected: Option<u64>) -> (Outcome, Value) {
        let key = self.key();
        let path = format!("/tasks/{}/{verb}", self.task);
        let subject = self.subject.clone();
        let request = Request { path, subject: &subject, key, body, expected, patient: self.patient };
        let (outcome, answer) = send(self.run, &mut self.history, request).await;
        if let (Outcome::Accepted(_), Some(version)) = (&outcome, answer["version"].as_u64()) {
            self.version = version;
        }
        (outcome, answer)
    }

    async fn one_task(&mut self) {
        let queue = format!("queue-{}", self.choices.below(QUEUES));
        let body = json!({ "type": "kill-test", "title": self.name, "queue": queue, "payload": { "n": self.sent },
                           "policy": { "leaseMs": 120_000, "maxAttempts": 100, "backoffBaseMs": 0 } });
        let key = self.key();
        let request = Request {
            path: "/tasks".into(),
            subject: "",
            key: key.clone(),
            body: body.clone(),
            expected: None,
            patient: self.patient,
        };
        let (outcome, answer) = send(self.run, &mut self.history, request).await;
        let Outcome::Accepted(_) = outcome else { return };
        self.task = answer["aggregateId"].as_str().unwrap_or_default().to_owned();
        self.subject = format!("task/{}", self.task);
        self.version = answer["version"].as_u64().unwrap_or_default();
        if self.choices.below(8) == 0 {
            self.reuse_key(key, body).await;
        }
        let mut token = 0;
        for _ in 0..=self.choices.below(3) {
            token = self.attempt(token).await;
        }
        if self.choices.below(4) == 0 {
            self.act("cancel", json!({ "reason": "no longer needed" }), None).await;
        } else if let Some(token) = self.lease().await {
            self.act("start", json!({ "fencingToken": token }), None).await;
            self.act("complete", json!({ "fencingToken": token, "result": { "by": self.name } }), None).await;
        }
    }

    /// Leases the task, which after a failure is queued again by a deadline of the shard's own.
    async fn lease(&mut self) -> Option<u64> {
        for _ in 0..LEASE_TRIES {
            let (outcome, answer) = self.act("assign", json!({ "worker": self.name }), None).await;
            if matches!(outcome, Outcome::Accepted(_)) {
                return answer["task"]["fencingToken"].as_u64();
            }
            tokio::time::sleep(LEASE_PAUSE).await;
        }
        None
    }

    /// One attempt that ends by giving the task back; `former` is the token of the attempt before.
    async fn attempt(&mut self, former: u64) -> u64 {
        let Some(token) = self.lease().await else { return former };
        self.act("start", json!({ "fencingToken": token }), None).await;
        for step in 1..=PROGRESS_STEPS {
            self.act("progress", json!({ "fencingToken": token, "progress": step * 3 }), None).await;
            match self.choices.below(24) {
                0 if former > 0 => {
                    drop(self.act("progress", json!({ "fencingToken": former, "progress": 99 }), None).await)
                }
                1 => drop(
                    self.act(
                        "progress",
                        json!({ "fencingToken": token, "progress": 100 }),
                        Some(self.version - 1),
                    )
                    .await,
                ),
                2 => drop(
                    self.act(
                        "progress",
                        json!({ "fencingToken": token, "progress": step * 3 + 1 }),
                        Some(self.version),
                    )
                    .await,
                ),
                3 => drop(self.act("redrive", json!({}), None).await),
                _ => {}
            }
        }
        let failed = json!({ "fencingToken": token, "reason": "chosen", "retriable": true });
        self.act("fail", failed, None).await;
        token
    }

    async fn reuse_key(&mut self, key: String, mut body: Value) {
        body["title"] = json!("another title");
        let path = "/tasks".into();
        let request = Request { path, subject: "", key, body, expected: None, patient: self.patient };
        send(self.run, &mut self.history, request).await;
    }
}
