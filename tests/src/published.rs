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
    #[serde(rename = "aggregateversion", deserialize_with = "number")]
    pub version: u64,
    /// `generation.shard.offset.index`.
    pub position: schemas::position::Position,
    /// Key of the command that caused it.
    #[serde(rename = "idempotencykey")]
    pub key: String,
    /// When it was decided.
    pub time: chrono::DateTime<chrono::Utc>,
    /// Who issued the command.
    pub authtype: String,
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

/// A version is a number, or a decimal string where a format has no 64-bit numbers.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let text = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
    text.parse().map_err(serde::de::Error::custom)
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
