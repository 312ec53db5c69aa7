//! A record as it stands in the log, parsed at most once however many readers meet it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use schemas::commit::Commit;

use crate::fence::Kind;
use crate::reader::Content;
use crate::record::Record;
use crate::rule_f::Header;

/// One record with its offset.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) offset: u64,
    pub(crate) header: Header,
    pub(crate) value: Bytes,
    /// When the log appended it, by the log's clock, if that tells.
    pub(crate) appended_at: Option<DateTime<Utc>>,
    content: OnceLock<Result<Content, Arc<str>>>,
}

impl Stored {
    pub(crate) fn new(offset: u64, header: Header, value: Bytes) -> Self {
        Self { offset, header, value, appended_at: None, content: OnceLock::new() }
    }

    pub(crate) fn of(offset: u64, record: Record) -> Self {
        Self::new(offset, Header::Fence(record.fence), record.value)
    }

    /// The value as what `kind` says it is; the error tells what this release cannot read in it.
    pub(crate) fn content(&self, kind: Kind) -> Result<Content, Arc<str>> {
        self.content.get_or_init(|| parse(kind, &self.value)).clone()
    }
}

fn parse(kind: Kind, value: &[u8]) -> Result<Content, Arc<str>> {
    let content = match kind {
        Kind::Genesis => serde_json::from_slice(value).map(Content::Genesis),
        Kind::Claim => serde_json::from_slice(value).map(Content::Claim),
        Kind::Commit => serde_json::from_slice::<Commit>(value).map(|c| Content::Commit(Arc::new(c))),
        Kind::Barrier => serde_json::from_slice::<serde::de::IgnoredAny>(value).map(|_| Content::Barrier),
    };
    content.map_err(|error| error.to_string().into())
}
