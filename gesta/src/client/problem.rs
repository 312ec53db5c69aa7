//! What a refused or failed call says.

use std::time::Duration;

use schemas::answer::Problem;

/// A problem in words: what happened, which fields, what is allowed, what to do.
struct Words<'a>(&'a Problem);

impl std::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let problem = self.0;
        let what = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
        write!(f, "{what} ({}, {})", problem.code, problem.status)?;
        for error in &problem.errors {
            write!(f, "\n  {}: {}", error.pointer, error.message)?;
        }
        match problem.allowed.as_deref() {
            Some([]) => write!(f, "\n  nothing is allowed any more"),
            Some(allowed) => write!(f, "\n  allowed now: {}", allowed.join(", ")),
            None => write!(f, "\n  {}", problem.advice),
        }
    }
}

/// Why a call brought no answer that can be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// The service refused; sending the same again brings the same.
    #[error("{}", Words(.0))]
    Refused(Box<Problem>),
    /// The service cannot answer now, or the outcome is not known; the same key asked again tells.
    #[error("{}", Words(.problem))]
    Later {
        /// What it said.
        problem: Box<Problem>,
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
    },
    /// Nothing came back.
    #[error(
        "{url} cannot be reached: {problem}. Start Gesta with `gesta dev`, or name its address with --url"
    )]
    Unreachable {
        /// Address.
        url: String,
        /// What the system said.
        problem: String,
    },
    /// What came back is not an answer of Gesta.
    #[error("{url} answered {status}, but not as Gesta does: {problem}. Is --url the address of Gesta?")]
    Foreign {
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
        /// What is wrong with the answer.
        problem: String,
    },
    /// A query was answered with errors.
    #[error("the query failed: {0}")]
    Query(String),
    /// A query cannot be answered now: a store is away, or the read models are being made.
    #[error("the query failed: {0}")]
    QueryLater(String),
    /// The client cannot be built from what was given.
    #[error("{field} = {value:?} cannot be used: {problem}")]
    Options {
        /// The flag.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl CallError {
    /// Whether the very same call, with the same key, may bring an answer.
    pub(crate) fn retryable(&self) -> bool {
        matches!(self, Self::Later { .. } | Self::QueryLater(_) | Self::Unreachable { .. })
    }

    /// How long the service asked to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        if let Self::Later { retry_after, .. } = self { *retry_after } else { None }
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        if let Self::Refused(problem) = self { Some(&problem.code) } else { None }
    }
}
