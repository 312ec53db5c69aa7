//! Messages of Kafka as records of the log.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rdkafka::message::{BorrowedMessage, Headers, Message};

use crate::rule_f::Header;
use crate::stored::Stored;

/// Name of the header that holds the fence.
pub(super) const FENCE: &str = "gesta-fence";

/// The record in a message; whatever it is, it is one.
pub(super) fn stored(message: &BorrowedMessage<'_>) -> Option<Stored> {
    let offset = u64::try_from(message.offset()).ok()?;
    let fence = message.headers().and_then(|headers| {
        // The first of several: which one must not depend on the reader.
        headers.iter().find(|header| header.key == FENCE).and_then(|header| header.value)
    });
    let header = Header::parse(fence.unwrap_or_default());
    let value = Bytes::copy_from_slice(message.payload().unwrap_or_default());
    let mut stored = Stored::new(offset, header, value);
    stored.appended_at = appended_at(message);
    Some(stored)
}

/// When the log appended a message, by its clock, if the message tells.
pub(super) fn appended_at(message: &BorrowedMessage<'_>) -> Option<DateTime<Utc>> {
    message.timestamp().to_millis().and_then(DateTime::from_timestamp_millis)
}
