//! Claims: long-polled, each under a key of its own, so that a lost answer loses no lease.

use std::time::Duration;

use schemas::answer::{ClaimAnswer, LeasedTask};
use serde_json::json;
use uuid::Uuid;

use super::Options;
use crate::client::{CallError, Client};

/// Claims of one worker.
#[derive(Debug)]
pub(super) struct Claims {
    client: Client,
    worker: String,
    queues: Vec<String>,
    wait: Duration,
}

impl Claims {
    pub(super) fn new(client: Client, worker: &str, options: &Options) -> Self {
        Self { client, worker: worker.to_owned(), queues: options.queues.clone(), wait: options.wait }
    }

    /// Claims at most `max` tasks; none when there was none for as long as a claim waits.
    pub(super) async fn claim(&self, max: u32) -> Result<Vec<LeasedTask>, CallError> {
        let wait = u32::try_from(self.wait.as_millis()).unwrap_or(schemas::task::MAX_CLAIM_WAIT_MS);
        let body = json!({ "worker": self.worker, "queues": self.queues, "max": max, "wait": wait });
        let key = format!("claim-{}", Uuid::new_v4());
        let reply = self.client.command_within("tasks/claim", &key, &body, &[], self.wait).await?;
        let granted: ClaimAnswer =
            serde_json::from_value(reply.body).map_err(|error| CallError::Foreign {
                url: format!("{}/api/v1/tasks/claim", self.client.base()),
                status: 200,
                problem: error.to_string(),
            })?;
        Ok(granted.tasks)
    }
}
