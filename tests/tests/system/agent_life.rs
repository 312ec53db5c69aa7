//! An agent from its spawning to the archive.

use serde_json::{Value, json};

use crate::support::api::{Answer, Api, joined};
use crate::support::shared::api;

impl Api {
    async fn spawn(&self, more: Value) -> String {
        self.spawned(more).await.id()
    }

    async fn spawned(&self, more: Value) -> Answer {
        let mut body = json!({ "model": "none", "kind": "executor", "label": "an agent" });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let spawned = self.done("agents", body).await;
        assert_eq!((spawned.status, spawned.verbs().as_str()), (201, "spawn_requested"));
        spawned
    }

    async fn agent(&self, id: &str, verb: &str, body: Value) -> Answer {
        self.done(&format!("agents/{id}/{verb}"), body).await
    }

    /// An agent that executes.
    async fn executing(&self, more: Value) -> String {
        let id = self.spawn(more).await;
        self.agent(&id, "worktree-created", json!({ "path": "/trees/a" })).await;
        self.agent(&id, "session-started", json!({})).await;
        id
    }

    async fn shown(&self, answer: &Answer, id: &str, fields: &str) -> Value {
        let query = format!("query($id: ID!) {{ agent(id: $id) {{ {fields} }} }}");
        self.query(&answer.position(), &query, json!({ "id": id })).await["agent"].take()
    }
}

/// AGENT-1, AGENT-2, AGENT-4, AGENT-5, AGENT-6, AGENT-9, AGENT-13, AGENT-14, AGENT-28, AGENT-30, M-4, M-5: every state
/// from spawning to completed, and the status derived from it.
#[tokio::test]
async fn an_agent_lives_to_its_end() {
    let api = api().await;
    let more = json!({ "task": "count", "capabilities": ["rust"], "roles": ["worker"], "labels": ["night"],
                       "budgetLimit": "10.00", "config": { "temperature": 0.7 }, "maxRetries": 2 });
    let id = api.spawn(more).await;
    let steps = [
        ("worktree-created", json!({ "path": "/trees/a" }), "SPAWNING", "INITIALIZING"),
        ("session-started", json!({}), "EXECUTING", "RUNNING"),
        ("await-input", json!({ "prompt": "go on?" }), "WAITING", "RUNNING"),
        ("pause", json!({ "reason": "look" }), "PAUSED", "PAUSED"),
        ("resume", json!({}), "WAITING", "RUNNING"),
        ("receive-input", json!({ "input": "yes" }), "EXECUTING", "RUNNING"),
        ("complete", json!({ "summary": "all counted" }), "COMPLETING", "RUNNING"),
        ("commit-result", json!({ "commits": ["abc"] }), "CLEANING_UP", "RUNNING"),
        ("finish-cleanup", json!({}), "COMPLETED", "COMPLETED"),
    ];
    let mut last = None;
    for (verb, body, state, status) in steps {
        let answer = api.agent(&id, verb, body).await;
        let shown = api.shown(&answer, &id, "state status").await;
        assert_eq!(shown, json!({ "state": state, "status": status }), "{verb}");
        last = Some(answer);
    }
    let fields =
        "label kind model task worktree commits capabilities roles labels budgetLimit summary incarnation
                  maxRetries config archived runtimeSeconds completedAt";
    let mut shown = api.shown(&last.unwrap(), &id, fields).await;
    assert!(
        shown["runtimeSeconds"].take().as_f64().unwrap() > 0.0 && shown["completedAt"].take().is_string()
    );
    assert_eq!(
        shown,
        json!({ "label": "an agent", "kind": "EXECUTOR", "model": "none", "task": "count", "worktree": "/trees/a",
                "commits": ["abc"], "capabilities": ["rust"], "roles": ["worker"], "labels": ["night"],
                "budgetLimit": "10.00", "summary": "all counted", "incarnation": 1, "maxRetries": 2,
                "config": { "temperature": 0.7 }, "archived": false, "runtimeSeconds": null, "completedAt": null })
    );
}

/// AGENT-18, AGENT-19: who paused it shows, and it goes back to where it was.
#[tokio::test]
async fn who_paused_an_agent_shows() {
    let api = api().await;
    let id = api.executing(json!({})).await;
    let pause = api.command(&format!("agents/{id}/pause"), &json!({})).header("x-gesta-actor", "user/alice");
    let paused = pause.send().await.accepted();
    let shown = api.shown(&paused, &id, "pause { by resumeTo }").await;
    assert_eq!(shown, json!({ "pause": { "by": "user/alice", "resumeTo": "executing" } }));
    let resumed = api.agent(&id, "resume", json!({})).await;
    assert_eq!(
        api.shown(&resumed, &id, "state pause { by }").await,
        json!({ "state": "EXECUTING", "pause": null })
    );
}

/// AGENT-16, AGENT-17, AGENT-29: killed in any state, restarted as a new incarnation, retried within its limit.
#[tokio::test]
async fn an_agent_fails_is_retried_killed_and_restarted() {
    let api = api().await;
    let id = api.executing(json!({ "maxRetries": 1 })).await;
    api.agent(&id, "error", json!({ "error": "stuck" })).await;
    let retried = api.agent(&id, "retry", json!({})).await;
    let shown = api.shown(&retried, &id, "state retryCount lastError").await;
    assert_eq!(shown, json!({ "state": "EXECUTING", "retryCount": 1, "lastError": "stuck" }));
    api.agent(&id, "error", json!({ "error": "stuck again" })).await;
    api.refused(&format!("agents/{id}/retry"), json!({}), 409, "guard_refused").await;
    let restarted = api.agent(&id, "restart", json!({ "reason": "anew" })).await;
    let shown = api.shown(&restarted, &id, "state incarnation retryCount").await;
    assert_eq!(shown, json!({ "state": "INITIALIZING", "incarnation": 2, "retryCount": 0 }));
    let killed = api.agent(&id, "kill", json!({})).await;
    assert_eq!(
        api.shown(&killed, &id, "state status").await,
        json!({ "state": "KILLED", "status": "KILLED" })
    );
    api.refused(&format!("agents/{id}/kill"), json!({}), 409, "transition_refused").await;
}

/// AGENT-15, AGENT-21, AGENT-27: hidden from lists by DELETE, its history stays.
#[tokio::test]
async fn an_archived_agent_keeps_its_history() {
    let api = api().await;
    let id = api.executing(json!({})).await;
    let path = format!("agents/{id}");
    let archived = api.request(reqwest::Method::DELETE, &path).send().await.accepted();
    assert_eq!(archived.verbs(), "killed archived");
    let query =
        "query($id: ID!) { agents { nodes { id } } agent(id: $id) { archived events { nodes { type } } } }";
    let data = api.query(&archived.position(), query, json!({ "id": id })).await;
    assert_eq!(data["agents"]["nodes"], json!([]));
    assert_eq!(data["agent"]["archived"], true);
    assert_eq!(data["agent"]["events"]["nodes"].as_array().unwrap().len(), 5);
    api.refused(&format!("agents/{id}/restart"), json!({}), 409, "guard_refused").await;
}

/// AGENT-34, AGENT-35, M-4: liveness runs out by the shard's clock and comes back with a heartbeat; draining and
/// capabilities show.
#[tokio::test]
async fn an_agent_without_heartbeats_goes_offline() {
    let api = api().await;
    let id = api.executing(json!({ "heartbeatMs": 1_000 })).await;
    let query = "query($id: ID!) { agent(id: $id) { availability } }";
    let look =
        async || api.ask(None, query, json!({ "id": id })).await.body["data"]["agent"]["availability"].take();
    crate::support::eventually::eventually("offline", look, |seen| *seen == "OFFLINE").await;
    let beat = api.agent(&id, "heartbeat", json!({})).await;
    assert!(beat.body["runsUntil"].is_string() || beat.verbs() == "heartbeat_recorded", "{beat:#?}");
    assert_eq!(api.shown(&beat, &id, "availability").await, json!({ "availability": "IDLE" }));
    api.agent(&id, "declare-capabilities", json!({ "capabilities": ["go"], "roles": ["reviewer"] })).await;
    let drained = api.agent(&id, "drain", json!({})).await;
    let shown = api.shown(&drained, &id, "availability capabilities roles").await;
    assert!(["DRAINING", "OFFLINE"].contains(&shown["availability"].as_str().unwrap()), "{shown}");
    assert_eq!((&shown["capabilities"], &shown["roles"]), (&json!(["go"]), &json!(["reviewer"])));
}

/// AGENT-10, AGENT-12: pages and figures of agents by status, label and time.
#[tokio::test]
async fn agents_are_found() {
    let api = api().await;
    let busy = api.executing(json!({ "labels": ["a"] })).await;
    let running = api.agent(&busy, "declare-capabilities", json!({ "capabilities": ["a"] })).await;
    let spawned = api.spawned(json!({ "labels": ["b"], "model": "m-2" })).await;
    let waiting = spawned.id();
    let killed = api.spawn(json!({})).await;
    let last = api.agent(&killed, "kill", json!({})).await;
    let query = "query { agentStats { total pending running killed }
        running: agents(filter: { status: [RUNNING] }) { nodes { id } totalCount }
        labelled: agents(filter: { labels: [\"b\"] }) { nodes { id } }
        models: agents(filter: { model: [\"m-2\"] }) { nodes { id } }
        none: agents(filter: { createdBefore: \"2020-01-01T00:00:00Z\" }) { nodes { id } } }";
    let data = api
        .query(&joined(&[running.position(), spawned.position(), last.position()]), query, json!({}))
        .await;
    assert_eq!(data["agentStats"], json!({ "total": 3, "pending": 1, "running": 1, "killed": 1 }));
    assert_eq!(data["running"], json!({ "nodes": [{ "id": busy }], "totalCount": 1 }));
    assert_eq!(data["labelled"]["nodes"], json!([{ "id": waiting }]));
    assert_eq!(data["models"]["nodes"], json!([{ "id": waiting }]));
    assert_eq!(data["none"]["nodes"], json!([]));
}
