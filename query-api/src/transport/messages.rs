//! The messages of graphql-transport-ws, and why a socket is closed. Pure; no socket here.

use async_graphql::ServerError;
use schemas::json;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::limits::MAX_OPERATION_ID_BYTES;

/// Name of the subprotocol.
pub(crate) const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Longest reason of a close frame, in bytes (RFC 6455: 125 with the code).
const MAX_REASON_BYTES: usize = 123;

/// Why the server closes a socket: code and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason: String = reason.into();
        let end = (0..=reason.len().min(MAX_REASON_BYTES)).rev().find(|end| reason.is_char_boundary(*end));
        reason.truncate(end.unwrap_or(0));
        Self { code, reason }
    }

    /// The server stops.
    pub(crate) fn going_away() -> Self {
        Self::new(1001, "the server stops; connect again and resume with the last cursor")
    }

    /// The client reads too slowly, is silent, or has too many sockets.
    pub(crate) fn try_later(reason: &str) -> Self {
        Self::new(1013, reason)
    }

    /// A message is not one of the protocol.
    pub(crate) fn bad_message(reason: impl Into<String>) -> Self {
        Self::new(4400, reason)
    }

    /// `subscribe` before the acknowledgement.
    pub(crate) fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized")
    }

    /// The greeting names a tenant or actor that it may not.
    pub(crate) fn forbidden(reason: &str) -> Self {
        Self::new(4403, reason)
    }

    /// The client does not speak the subprotocol.
    pub(crate) fn wrong_subprotocol() -> Self {
        Self::new(4406, "Subprotocol not acceptable")
    }

    /// No greeting came in time.
    pub(crate) fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    /// The id of a live operation was used again.
    pub(crate) fn id_in_use(id: &str) -> Self {
        Self::new(4409, format!("Subscriber for {id} already exists"))
    }

    /// A second greeting.
    pub(crate) fn init_again() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }
}

/// What a client sends.
#[derive(Debug, PartialEq)]
pub(crate) enum ClientMessage {
    Init { payload: Map<String, Value> },
    Ping { payload: Option<Value> },
    Pong,
    Subscribe { id: String, payload: Value },
    Complete { id: String },
}

/// Reads a message.
///
/// # Errors
/// A close with 4400 that says what is wrong.
pub(crate) fn parse(text: &str) -> Result<ClientMessage, Close> {
    let message = json::parse(text.as_bytes()).map_err(|error| Close::bad_message(error.to_string()))?;
    let Value::Object(mut message) = message else {
        return Err(Close::bad_message("a message must be a JSON object"));
    };
    let payload = message.remove("payload").filter(|payload| !payload.is_null());
    let kind = message.get("type").and_then(Value::as_str).unwrap_or("");
    match kind {
        "connection_init" => match payload {
            None => Ok(ClientMessage::Init { payload: Map::new() }),
            Some(Value::Object(payload)) => Ok(ClientMessage::Init { payload }),
            Some(_) => Err(Close::bad_message("the payload of connection_init must be an object")),
        },
        "ping" => Ok(ClientMessage::Ping { payload }),
        "pong" => Ok(ClientMessage::Pong),
        "subscribe" => match payload {
            Some(payload @ Value::Object(_)) => Ok(ClientMessage::Subscribe { id: id(&message)?, payload }),
            _ => Err(Close::bad_message("subscribe needs a payload object with `query`")),
        },
        "complete" => Ok(ClientMessage::Complete { id: id(&message)? }),
        "" => Err(Close::bad_message("a message needs a `type`")),
        _ => Err(Close::bad_message("unknown `type` of message")),
    }
}

fn id(message: &Map<String, Value>) -> Result<String, Close> {
    let id = message.get("id").and_then(Value::as_str).unwrap_or("");
    if id.is_empty() || id.len() > MAX_OPERATION_ID_BYTES {
        return Err(Close::bad_message(format!(
            "`id` must be a text of 1 to {MAX_OPERATION_ID_BYTES} bytes"
        )));
    }
    Ok(id.to_owned())
}

/// The greeting was accepted.
pub(crate) fn ack() -> String {
    json!({ "type": "connection_ack" }).to_string()
}

/// The answer to a ping.
pub(crate) fn pong(payload: Option<&Value>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => json!({ "type": "pong" }).to_string(),
    }
}

/// One result of an operation, encoded already.
pub(crate) fn next(id: &str, payload: &RawValue) -> String {
    let id = Value::from(id);
    format!(r#"{{"type":"next","id":{id},"payload":{payload}}}"#)
}

/// The operation was refused; nothing follows.
pub(crate) fn error(id: &str, errors: &[ServerError]) -> String {
    json!({ "type": "error", "id": id, "payload": errors }).to_string()
}

/// The operation is over.
pub(crate) fn complete(id: &str) -> String {
    json!({ "type": "complete", "id": id }).to_string()
}

/// The text of a member of a greeting's payload.
///
/// # Errors
/// A close with 4400 when it is not a text.
pub(crate) fn member<'a>(payload: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Close> {
    match payload.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Close::bad_message(format!("`{name}` of connection_init must be a text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_protocol_closes_with_4400() {
        for text in [
            "",
            "junk",
            "[]",
            "{}",
            r#"{"type":"start"}"#,
            r#"{"type":1}"#,
            r#"{"type":"connection_init","payload":1}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":7,"payload":{"query":"{a}"}}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"complete","id":"1","id":"2"}"#,
        ] {
            assert_eq!(parse(text).unwrap_err().code, 4400, "{text}");
        }
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(129));
        assert_eq!(parse(&long).unwrap_err().code, 4400);
    }

    #[test]
    fn messages_of_the_protocol_are_read() {
        assert_eq!(parse(r#"{"type":"connection_init"}"#), Ok(ClientMessage::Init { payload: Map::new() }));
        assert_eq!(
            parse(r#"{"type":"ping","payload":{"a":1}}"#),
            Ok(ClientMessage::Ping { payload: Some(json!({"a":1})) })
        );
        assert_eq!(parse(r#"{"type":"complete","id":"1"}"#), Ok(ClientMessage::Complete { id: "1".into() }));
    }

    #[test]
    fn a_reason_fits_its_frame() {
        let close = Close::id_in_use(&"é".repeat(100));
        assert!(close.reason.len() <= MAX_REASON_BYTES && close.reason.starts_with("Subscriber for é"));
    }
}
