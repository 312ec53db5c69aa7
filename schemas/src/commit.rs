//! The commit: one record of the log, everything that one command did.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::ids::{Stream, Tenant};

/// Most events of one commit.
pub const MAX_COMMIT_EVENTS: usize = 1_000;
/// Largest encoded commit with its headers, in bytes.
pub const MAX_COMMIT_BYTES: usize = 900 * 1024;

/// All events of one command, as they stand in the log (log.md §1). Never torn: one record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Commit {
    /// The command that caused it.
    pub command: CommandRef,
    /// The stream that the command was addressed to; with the tenant the scope of the command id.
    pub home: Stream,
    /// The tenant of every stream in it.
    pub tenant: Tenant,
    /// Who issued the command.
    pub actor: Actor,
    /// Correlation id of the original request, carried along the whole chain.
    pub correlation: String,
    /// What caused the command: the id of an event or of an external command.
    pub causation: String,
    /// W3C `traceparent` of the request, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Shard time of the decision, milliseconds; never decreases within a shard.
    #[serde(with = "millis")]
    pub at: DateTime<Utc>,
    /// 1 to 1,000 events of streams of one route.
    pub events: Vec<EventRecord>,
}

/// Identity of a command: enough to answer its repetition from the log for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandRef {
    /// The client's `Idempotency-Key`, or one that the server made.
    pub id: String,
    /// Command type, for example `task.create`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 128 bits of SHA-256 over the canonical body, lower-case hexadecimal.
    pub body_hash: String,
}

/// Who issued a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// `user`, `agent`, `api_key`, `system` or `unauthenticated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Opaque id.
    pub id: String,
}

/// One event of a commit. `(tenant, stream, version)` names it for ever.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRecord {
    /// Stream of the event.
    pub stream: Stream,
    /// 1-based version in its stream.
    pub version: u64,
    /// Event type, for example `gesta.work.task.created.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Revision of the type's schema that wrote `data`; older ones are upcast on read.
    pub v: u32,
    /// The event's fields as one JSON object.
    pub data: Box<RawValue>,
}

impl EventRecord {
    /// The event's id: `UUIDv5` of stream and version.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.stream.event_id(self.version)
    }
}

/// RFC 3339 UTC with exactly three decimals, so that equal instants have equal bytes.
pub mod millis {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `2026-01-02T03:04:05.678Z`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    /// Reads any RFC 3339 instant.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        DateTime::<Utc>::deserialize(deserializer)
    }

    /// The same for an optional instant.
    pub mod option {
        use super::{DateTime, Deserialize, Deserializer, Serializer, Utc};

        /// Writes the instant or `null`.
        ///
        /// # Errors
        /// Those of the serializer.
        pub fn serialize<S: Serializer>(
            at: &Option<DateTime<Utc>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads any RFC 3339 instant or `null`.
        ///
        /// # Errors
        /// Those of the deserializer.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<DateTime<Utc>>, D::Error> {
            Option::<DateTime<Utc>>::deserialize(deserializer)
        }
    }
}
