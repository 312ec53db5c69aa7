//! The worker as an agent: registered, alive, and orderly ended.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Options, Totals};
use crate::client::{CallError, Client};

/// How long each step of the farewell may take; nobody waits for it but the one who stops the worker.
const FAREWELL_PATIENCE: Duration = Duration::from_millis(300);

/// The registered agent.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    client: Client,
    id: String,
}

impl Agent {
    /// Registers the worker and brings it to `executing`.
    pub(super) async fn register(client: &Client, options: &Options) -> Result<Self, CallError> {
        let body = json!({
            "kind": "executor",
            "model": "none",
            "label": options.label,
            "task": format!("executes tasks of {}", options.queues.join(", ")),
            "roles": ["worker"],
            "capabilities": ["inventory"],
            "heartbeatMs": u32::try_from(options.heartbeat.as_millis()).unwrap_or(u32::MAX),
            "config": { "concurrency": options.concurrency, "queues": options.queues },
            "metadata": { "pid": std::process::id().to_string() },
        });
        let reply = client.command("agents", &format!("spawn-{}", Uuid::new_v4()), &body).await?;
        let id = reply.body["aggregateId"].as_str().unwrap_or_default().to_owned();
        let agent = Self { client: client.clone(), id };
        let folder = std::env::current_dir().unwrap_or_default();
        agent.act("worktree-created", &json!({ "path": folder.to_string_lossy() })).await?;
        agent.act("session-started", &json!({})).await?;
        tracing::info!(agent = %agent.id, label = %options.label, "registered");
        Ok(agent)
    }

    /// The agent's id; claims name it as the worker.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    async fn act(&self, verb: &str, body: &Value) -> Result<(), CallError> {
        let key = format!("{verb}-{}", Uuid::new_v4());
        self.client.command(&format!("agents/{}/{verb}", self.id), &key, body).await.map(drop)
    }

    /// Beats three times per period of liveness until `stop`; a lost beat is made up by the next.
    pub(super) fn keep_alive(&self, period: Duration, stop: CancellationToken) -> JoinHandle<()> {
        let agent = Self { client: self.client.with_patience(period / 3), id: self.id.clone() };
        let mut beats = tokio::time::interval(period / 3);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = beats.tick() => {}
                    () = stop.cancelled() => return,
                }
                if let Err(error) = agent.act("heartbeat", &json!({})).await {
                    tracing::warn!(agent = %agent.id, %error, "the heartbeat was not taken");
                }
            }
        })
    }

    /// Says that no new work is taken.
    pub(super) async fn drain(&self) {
        self.farewell(&[("drain", json!({ "reason": "the worker was told to stop" }))]).await;
    }

    /// Completes the agent's life. A service that is gone already is no failure of the worker.
    pub(super) async fn finish(&self, totals: &Totals) {
        let summary =
            format!("{} succeeded, {} failed, {} given up", totals.succeeded, totals.failed, totals.given_up);
        self.farewell(&[("complete", json!({ "summary": summary })), ("finish-cleanup", json!({}))]).await;
    }

    async fn farewell(&self, steps: &[(&str, Value)]) {
        let agent = Self { client: self.client.with_patience(FAREWELL_PATIENCE), id: self.id.clone() };
        for (verb, body) in steps {
            if let Err(error) = agent.act(verb, body).await {
                tracing::info!(agent = %agent.id, %error, verb, "Gesta did not take the farewell");
                return;
            }
        }
    }
}
