//! What clients did and were told.

/// Microseconds since the run began, by one monotonic clock for all clients.
pub type Micros = u64;

/// One request and its end, as the client saw it. A retry is an operation of its own with the same key.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `Idempotency-Key`.
    pub key: String,
    /// Aggregate it was addressed to, `task/<id>`; empty for a creation and a claim.
    pub subject: String,
    /// Body as sent; the same key with another body must be refused.
    pub body: String,
    /// Version that the client expected.
    pub expected: Option<u64>,
    /// When it was sent.
    pub start: Micros,
    /// When the answer came, or the client gave up.
    pub end: Micros,
    /// Wall clock at the end, milliseconds since 1970.
    pub end_wall_ms: i64,
    /// The answer.
    pub outcome: Outcome,
}

/// The three kinds of answers, refusals told apart as far as they can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect; the ids of its events in order (none for a renewal that still had time).
    Accepted(Vec<String>),
    /// Another version than expected was found.
    WrongVersion {
        /// Version that the refusal named.
        actual: u64,
    },
    /// The fencing token was stale.
    StaleToken {
        /// Token sent.
        given: u32,
        /// Newest token that the refusal named.
        current: u32,
    },
    /// The key was used with another body.
    KeyReused,
    /// Any other refusal: nothing happened.
    Failed(String),
    /// No answer, or one that says that the outcome is not known.
    Unknown,
}

impl Outcome {
    /// Whether the answer says that nothing happened.
    #[must_use]
    pub fn says_nothing_happened(&self) -> bool {
        !matches!(self, Self::Accepted(_) | Self::Unknown)
    }
}
