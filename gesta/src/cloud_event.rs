//! One event as a line: a CloudEvent, and where a reader that has read it goes on.

use std::fmt;
use std::str::FromStr;

use schemas::cloudevent::CloudEvent;
use schemas::position::{Position, PositionError, Token};
use serde::Serialize;

/// Between the two parts of a [`Resume`] as text; no token has it, and an address need not escape it.
const INSIDE: char = '~';

/// A place between two events: behind whole commits, or behind one event of a commit that has more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The commits that were passed whole.
    pub(crate) token: Token,
    /// The last event that was passed, when its commit is not passed whole.
    pub(crate) inside: Option<Position>,
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.token, self.inside) {
            (token, None) => write!(f, "{token}"),
            (token, Some(position)) => write!(f, "{token}{INSIDE}{position}"),
        }
    }
}

impl FromStr for Resume {
    type Err = PositionError;
    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (token, inside) = match text.split_once(INSIDE) {
            Some((token, inside)) => (token, Some(inside.parse()?)),
            None => (text, None),
        };
        Ok(Self { token: token.parse()?, inside })
    }
}

/// A CloudEvent with one more extension attribute.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a CloudEvent,
    /// A listener that has read this line goes on behind it with `from=<resumetoken>`.
    resumetoken: String,
}

/// Writes an event as one line without its end.
pub(crate) fn line(event: &CloudEvent, resume: &Resume) -> String {
    serde_json::to_string(&Line { event, resumetoken: resume.to_string() })
        .expect("a struct of plain fields serialises")
}
