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
    use std::fmt;

    use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
    use serde::de::Visitor;
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
        deserializer.deserialize_str(Instant)
    }

    struct Instant;

    impl Visitor<'_> for Instant {
        type Value = DateTime<Utc>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an RFC 3339 instant")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DateTime<Utc>, E> {
            written(text.as_bytes()).map_or_else(|| text.parse().map_err(E::custom), Ok)
        }
    }

    /// The form that [`serialize`] writes, which every record of the log has: read in a fifth of the time.
    fn written(text: &[u8]) -> Option<DateTime<Utc>> {
        let form: &[u8; 24] = text.try_into().ok()?;
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
        if marks.into_iter().any(|(at, mark)| form[at] != mark) {
            return None;
        }
        let number = |from: usize, to: usize| {
            form[from..to].iter().try_fold(0, |number: u32, digit| {
                digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
            })
        };
        let year = i32::try_from(number(0, 4)?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
        let time = date.and_hms_milli_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
        Some(time?.and_utc())
    }

    /// The same for an optional instant.
    pub mod option {
        use super::{DateTime, Deserialize, Deserializer, Serializer, Utc};

        #[derive(Deserialize)]
        struct Written(#[serde(deserialize_with = "super::deserialize")] DateTime<Utc>);

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
            let read = Option::<Written>::deserialize(deserializer)?;
            Ok(read.map(|Written(at)| at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct At(#[serde(with = "millis")] DateTime<Utc>);

    /// PLAT-28: the short way to read an instant comes to what the long one says, for every form.
    #[test]
    fn every_form_of_an_instant_is_read_as_the_library_reads_it() {
        for text in [
            "2026-01-02T03:04:05.678Z",
            "2024-02-29T23:59:59.999Z",
            "2023-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-01-02T24:00:00.000Z",
            "2016-12-31T23:59:60.000Z",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.6789Z",
            "2026-01-02T03:04:05.67+1",
            "2026-01-02T03:04:05+02:00",
            "2026-01-02T03:04:05.678z",
            "2026-01-02 03:04:05.678Z",
            "2026-01-0xT03:04:05.678Z",
            "+026-01-02T03:04:05.678Z",
            "",
        ] {
            let read = serde_json::from_value(text.into()).ok().map(|At(at)| at);
            assert_eq!(read, text.parse().ok(), "{text}");
        }
        let at = At("2026-01-02T03:04:05.678Z".parse().unwrap());
        assert_eq!(serde_json::to_string(&at).unwrap(), r#""2026-01-02T03:04:05.678Z""#);
        assert_eq!(serde_json::from_str::<At>(r#""2026-01-02T03:04:05.678Z""#).unwrap(), at);
    }
}
