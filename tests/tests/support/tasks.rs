//! The usual steps of a task, as a client takes them.

use serde_json::{Value, json};
use tests::published::Published;

use super::api::{Answer, Api};
use super::eventually::eventually;

/// A task that a worker holds.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) token: u64,
    /// Token of the last answer.
    pub(crate) position: String,
}

/// A small task in `queue`, with what `more` says besides.
pub(crate) fn task(queue: &str, more: Value) -> Value {
    let mut body = json!({ "type": "test", "title": "a title", "queue": queue });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

impl Api {
    /// Creates a task.
    pub(crate) async fn create(&self, queue: &str, more: Value) -> Answer {
        self.done("tasks", task(queue, more)).await
    }

    /// A verb of a task that must succeed.
    pub(crate) async fn act(&self, id: &str, verb: &str, body: Value) -> Answer {
        self.done(&format!("tasks/{id}/{verb}"), body).await
    }

    /// Claims at most one task of `queue`, waiting as long as a claim may.
    pub(crate) async fn claim(&self, worker: &str, queue: &str) -> Held {
        let body = json!({ "worker": worker, "queues": [queue], "wait": 20_000 });
        let answer = self.done("tasks/claim", body).await;
        Held {
            id: answer.text("/tasks/0/id"),
            token: token(&answer, "/tasks/0"),
            position: answer.position(),
        }
    }

    /// Creates a task, claims it and starts it.
    pub(crate) async fn running(&self, queue: &str, more: Value) -> Held {
        let created = self.create(queue, more).await;
        let held = self.claim("w-1", queue).await;
        assert_eq!(held.id, created.id(), "the only task of its queue");
        self.hold(&held, "start", json!({})).await;
        held
    }

    /// A verb of the lease holder that must succeed.
    pub(crate) async fn hold(&self, held: &Held, verb: &str, mut body: Value) -> Answer {
        body["fencingToken"] = json!(held.token);
        self.act(&held.id, verb, body).await
    }

    /// Fields of a task in the read model, which includes `after`.
    pub(crate) async fn task(&self, after: &str, id: &str, fields: &str) -> Value {
        let query = format!("query($id: ID!) {{ task(id: $id) {{ {fields} }} }}");
        self.query(after, &query, json!({ "id": id })).await["task"].take()
    }

    /// Waits until the read model shows the task in `state`, which it comes to by itself.
    pub(crate) async fn until(&self, id: &str, state: &str) {
        let wanted = json!({ "data": { "task": { "state": state } } });
        let look =
            async || self.ask(None, "query($id: ID!) { task(id: $id) { state } }", json!({ "id": id })).await;
        eventually(state, look, |answer| answer.body["data"] == wanted["data"]).await;
    }

    /// The events of a task, from the log.
    pub(crate) async fn log_of(&self, id: &str) -> Vec<Published> {
        let (status, text) = self.ops(&format!("/events?tenant={}&subject=task/{id}", self.tenant)).await;
        assert_eq!(status, 200, "{text}");
        tests::published::read(&text).expect("NDJSON of CloudEvents")
    }
}

/// The fencing token of the lease at `pointer`.
pub(crate) fn token(answer: &Answer, pointer: &str) -> u64 {
    let token = answer.body.pointer(&format!("{pointer}/fencingToken")).and_then(Value::as_u64);
    token.unwrap_or_else(|| panic!("no lease: {answer:#?}"))
}

/// The verbs of events, for example `created queued`.
pub(crate) fn verbs(events: &[Published]) -> String {
    events.iter().map(|event| event.verb()).collect::<Vec<_>>().join(" ")
}
