//! What the log published: `CloudEvents`, one JSON object a line.

use serde::Deserialize;
use serde_json::Value;

/// One event, as `gesta events` prints it.
#[derive(Debug, Clone, Deserialize)]
pub struct Published {
    /// Event id.
    pub id: String,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `task/<id>`.
    pub subject: String,
    /// Version in its stream.
    #[serde(rename = "aggregateversion")]
    pub version: u64,
    /// `generation.shard.offset.index`.
    pub position: schemas::position::Position,
    /// Key of the command that caused it.
    #[serde(rename = "idempotencykey")]
    pub key: String,
    /// When it was decided.
    pub time: chrono::DateTime<chrono::Utc>,
    /// Type of that command.
    #[serde(rename = "commandtype")]
    pub command: String,
    /// Tenant.
    #[serde(rename = "tenantid")]
    pub tenant: String,
    /// Kind of who issued the command.
    pub authtype: String,
    /// Id of who issued it.
    pub authid: String,
    /// Correlation of the request that began it.
    #[serde(rename = "correlationid")]
    pub correlation: String,
    /// What caused it: an event, or a command from outside.
    #[serde(rename = "causationid")]
    pub causation: String,
    /// Payload.
    pub data: Value,
}

impl Published {
    /// Last part of the type without its version, for example `lease_expired`.
    #[must_use]
    pub fn verb(&self) -> &str {
        self.kind.rsplit('.').nth(1).unwrap_or_default()
    }

    /// Fencing token of the payload, if it has one.
    #[must_use]
    pub fn token(&self) -> Option<u32> {
        self.data["fencing_token"].as_u64().and_then(|token| u32::try_from(token).ok())
    }

    /// The commit: everything of one command stands in one.
    #[must_use]
    pub fn commit(&self) -> (u32, u16, u64) {
        (self.position.generation, self.position.shard, self.position.offset)
    }

    /// Whether the system issued the command itself, for example at a deadline.
    #[must_use]
    pub fn by_the_system(&self) -> bool {
        self.authtype == "system"
    }
}

/// Reads NDJSON.
///
/// # Errors
/// Number of the line that is not such an event, and why.
pub fn read(ndjson: &str) -> Result<Vec<Published>, String> {
    let lines = ndjson.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| serde_json::from_str(line).map_err(|e| format!("line {}: {e}: {line}", n + 1)))
        .collect()
}
