//! Events as CloudEvents 1.0: one JSON object each, as `gesta events` prints them, or in the binary mode of
//! Kafka, attributes as headers and the payload as the value, as the public topics have them.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::commit::{Actor, Commit, EventRecord, millis};
use crate::json_schema::{SCHEMA_BASE, event_path};
use crate::position::Position;

/// Prefix of `source`; context and aggregate type follow.
const SOURCE_BASE: &str = "urn:gesta:";
/// Media type of every payload.
pub const CONTENT_TYPE: &str = "application/json";
/// What the name of an attribute begins with in a header of Kafka.
pub const HEADER_PREFIX: &str = "ce_";
/// The header that holds `datacontenttype`, as the Kafka binding names it.
pub const CONTENT_TYPE_HEADER: &str = "content-type";

/// Partitions of a public topic, unless another number is configured.
pub const TOPIC_PARTITIONS: u16 = 8;

/// What the names of public topics begin with, unless something else is configured.
pub const TOPIC_PREFIX: &str = "gesta";

/// The public topic of a bounded context: `<prefix>.<context>.events`.
#[must_use]
pub fn topic(prefix: &str, context: &str) -> String {
    format!("{prefix}.{context}.events")
}

/// `urn:gesta:<context>/<aggregate type>`: where an event comes from.
#[must_use]
pub fn source(kind: &str, aggregate_type: &str) -> String {
    format!("{SOURCE_BASE}{}/{aggregate_type}", context(kind))
}

/// The bounded context of an event type: `gesta.<context>.<aggregate>.…`.
#[must_use]
pub fn context(kind: &str) -> &str {
    kind.split('.').nth(1).unwrap_or_default()
}

/// One event with the attributes of CloudEvents. Extension names have lower-case letters and
/// digits only, as the specification asks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CloudEvent {
    /// `1.0`.
    pub specversion: String,
    /// The event's id, the same everywhere.
    pub id: Uuid,
    /// Context and aggregate type.
    pub source: String,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened: shard time of the decision.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub time: DateTime<Utc>,
    /// `<aggregate type>/<id>`.
    pub subject: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// Schema of `data`; another one for an incompatible change.
    pub dataschema: String,
    /// Revision of the schema that wrote `data`.
    pub datarevision: u32,
    /// Stream, `tenant/type/id`; events of one key are in order.
    pub partitionkey: String,
    /// Tenant.
    pub tenantid: String,
    /// 1-based version in the stream, without gap.
    pub aggregateversion: u64,
    /// Place in the log: `generation.shard.offset.index`.
    pub position: String,
    /// Correlation of the original request.
    pub correlationid: String,
    /// The event or external command that caused the command.
    pub causationid: String,
    /// Key of the command that wrote the event: its `Idempotency-Key`.
    pub idempotencykey: String,
    /// Type of that command.
    pub commandtype: String,
    /// When it was appended; the log's own time, equal to `time`.
    #[serde(with = "millis")]
    #[schemars(with = "DateTime<Utc>")]
    pub recordedtime: DateTime<Utc>,
    /// Kind of the actor, in the vocabulary of the CloudEvents auth context.
    pub authtype: String,
    /// Id of the actor.
    pub authid: String,
    /// W3C `traceparent` of the request that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The payload.
    #[schemars(skip)]
    pub data: Box<RawValue>,
}

impl CloudEvent {
    /// The attributes as headers of a Kafka record in binary mode; `data` is the record's value and
    /// `partitionkey` its key as well.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let instant = |at: &DateTime<Utc>| Cow::Owned(at.to_rfc3339_opts(SecondsFormat::Millis, true));
        let mut headers: Vec<(&'static str, Cow<'_, str>)> = vec![
            ("ce_specversion", self.specversion.as_str().into()),
            ("ce_id", self.id.to_string().into()),
            ("ce_source", self.source.as_str().into()),
            ("ce_type", self.kind.as_str().into()),
            ("ce_time", instant(&self.time)),
            ("ce_subject", self.subject.as_str().into()),
            (CONTENT_TYPE_HEADER, self.datacontenttype.as_str().into()),
            ("ce_dataschema", self.dataschema.as_str().into()),
            ("ce_datarevision", self.datarevision.to_string().into()),
            ("ce_partitionkey", self.partitionkey.as_str().into()),
            ("ce_tenantid", self.tenantid.as_str().into()),
            ("ce_aggregateversion", self.aggregateversion.to_string().into()),
            ("ce_position", self.position.as_str().into()),
            ("ce_correlationid", self.correlationid.as_str().into()),
            ("ce_causationid", self.causationid.as_str().into()),
            ("ce_idempotencykey", self.idempotencykey.as_str().into()),
            ("ce_commandtype", self.commandtype.as_str().into()),
            ("ce_recordedtime", instant(&self.recordedtime)),
            ("ce_authtype", self.authtype.as_str().into()),
            ("ce_authid", self.authid.as_str().into()),
        ];
        headers.extend(self.traceparent.as_deref().map(|trace| ("ce_traceparent", trace.into())));
        headers
    }
}

/// The events of a counted commit, in order.
pub fn cloud_events(
    commit: &Commit,
    generation: u32,
    shard: u16,
    offset: u64,
) -> impl Iterator<Item = CloudEvent> + '_ {
    (0_u16..).zip(&commit.events).map(move |(index, event)| {
        let position = Position { generation, shard, offset, index };
        cloud_event(commit, event, &position)
    })
}

/// One event of a commit.
#[must_use]
pub fn cloud_event(commit: &Commit, event: &EventRecord, position: &Position) -> CloudEvent {
    let stream = &event.stream;
    CloudEvent {
        specversion: "1.0".into(),
        id: event.id(),
        source: source(&event.kind, stream.aggregate_type()),
        kind: event.kind.clone(),
        time: commit.at,
        subject: format!("{}/{}", stream.aggregate_type(), stream.id()),
        datacontenttype: CONTENT_TYPE.into(),
        dataschema: format!("{SCHEMA_BASE}{}", event_path(&event.kind)),
        datarevision: event.v,
        partitionkey: stream.to_string(),
        tenantid: commit.tenant.to_string(),
        aggregateversion: event.version,
        position: position.to_string(),
        correlationid: commit.correlation.clone(),
        causationid: commit.causation.clone(),
        idempotencykey: commit.command.id.clone(),
        commandtype: commit.command.kind.clone(),
        recordedtime: commit.at,
        authtype: auth_type(&commit.actor).into(),
        authid: commit.actor.id.clone(),
        traceparent: commit.trace.clone(),
        data: event.data.clone(),
    }
}

/// The fixed vocabulary of the auth context extension; an agent acts as a service account.
fn auth_type(actor: &Actor) -> &'static str {
    match actor.kind.as_str() {
        "user" => "user",
        "agent" => "service_account",
        "api_key" => "api_key",
        "system" => "system",
        "unauthenticated" => "unauthenticated",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn commit() -> Commit {
        serde_json::from_value(json!({
            "command": {"id": "c-1", "type": "task.create", "bodyHash": "00ff"},
            "home": "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd",
            "tenant": "acme",
            "actor": {"type": "agent", "id": "a-7"},
            "correlation": "flow-1",
            "causation": "c-0",
            "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "at": "2026-01-02T03:04:05.678Z",
            "events": [
                {"stream": "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd", "version": 1,
                 "type": "gesta.work.task.hold_lifted.v1", "v": 1, "data": {}},
                {"stream": "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd", "version": 2,
                 "type": "gesta.work.task.queued.v1", "v": 1,
                 "data": {"because": "created", "enqueued_at": "2026-01-02T03:04:05.678Z"}},
            ],
        }))
        .unwrap()
    }

    /// PLAT-7: id, type, version, correlation, causation, trace, source, actor and tenant.
    #[test]
    fn an_event_carries_every_attribute() {
        let events: Vec<Value> =
            cloud_events(&commit(), 1, 3, 42).map(|event| serde_json::to_value(event).unwrap()).collect();
        assert_eq!(
            events[1],
            json!({
                "specversion": "1.0",
                "id": commit().events[1].id().to_string(),
                "source": "urn:gesta:work/task",
                "type": "gesta.work.task.queued.v1",
                "time": "2026-01-02T03:04:05.678Z",
                "subject": "task/8e88a6c9-40b0-87c7-a154-418b24b15ccd",
                "datacontenttype": "application/json",
                "dataschema": "https://gesta.dev/schemas/events/gesta.work.task.queued.v1.json",
                "datarevision": 1,
                "partitionkey": "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd",
                "tenantid": "acme",
                "aggregateversion": 2,
                "position": "1.3.42.1",
                "correlationid": "flow-1",
                "causationid": "c-0",
                "idempotencykey": "c-1",
                "commandtype": "task.create",
                "recordedtime": "2026-01-02T03:04:05.678Z",
                "authtype": "service_account",
                "authid": "a-7",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "data": {"because": "created", "enqueued_at": "2026-01-02T03:04:05.678Z"},
            })
        );
        assert_eq!(events[0]["position"], "1.3.42.0");
        assert_ne!(events[0]["id"], events[1]["id"]);
    }

    /// The names that the specification allows: lower-case letters and digits, at most 20.
    #[test]
    fn attribute_names_fit_every_binding() {
        let event =
            cloud_events(&commit(), 1, 3, 42).next().map(|event| serde_json::to_value(event).unwrap());
        for name in event.unwrap().as_object().unwrap().keys() {
            let fits = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            assert!(fits && name.len() <= 20, "{name}");
        }
    }

    /// BUS-111: in binary mode every attribute is a header of the same text, and nothing else is.
    #[test]
    fn the_headers_are_the_attributes() {
        let event = cloud_events(&commit(), 1, 3, 42).next().unwrap();
        let Value::Object(mut expected) = serde_json::to_value(&event).unwrap() else { panic!("an object") };
        assert_eq!(expected.remove("data").unwrap().to_string(), event.data.get());
        for (name, text) in event.headers() {
            let attribute = match name {
                CONTENT_TYPE_HEADER => "datacontenttype",
                name => name.strip_prefix(HEADER_PREFIX).unwrap(),
            };
            let value = expected.remove(attribute).unwrap_or_else(|| panic!("{name} is no attribute"));
            assert_eq!(value.as_str().map_or_else(|| value.to_string(), str::to_owned), text, "{name}");
        }
        assert!(expected.is_empty(), "not among the headers: {expected:?}");
        assert_eq!(topic(TOPIC_PREFIX, context(&event.kind)), "gesta.work.events");
    }

    #[test]
    fn an_event_reads_back() {
        let event = cloud_events(&commit(), 1, 3, 42).next().unwrap();
        let line = serde_json::to_string(&event).unwrap();
        let back: CloudEvent = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), line);
        assert!(!line.contains('\n'));
    }
}
