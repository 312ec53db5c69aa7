//! One event as a line: a CloudEvent, and where a reader that has read it goes on.

use schemas::cloudevent::CloudEvent;
use schemas::position::Token;
use serde::Serialize;

/// A CloudEvent with one more extension attribute.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a CloudEvent,
    /// A listener that has read this line goes on behind it with `from=<resumetoken>`.
    resumetoken: &'a Token,
}

/// Writes an event as one line without its end.
pub(crate) fn line(event: &CloudEvent, resumetoken: &Token) -> String {
    serde_json::to_string(&Line { event, resumetoken }).expect("a struct of plain fields serialises")
}
