//! What a client is told when a query fails: a stable code and a sentence, never SQL, paths or types.

use async_graphql::{ErrorExtensionValues, ServerError};
use schemas::problem::Code;

/// A failure that a client sees. No `Display`: only its two parts may leave the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The error of a whole request, without a path.
    pub(crate) fn into_server_error(self) -> ServerError {
        let mut error = ServerError::new(self.detail, None);
        stamp(&mut error, self.code);
        error
    }
}

impl From<Problem> for async_graphql::Error {
    fn from(problem: Problem) -> Self {
        let mut error = Self::new(problem.detail);
        error.extensions.get_or_insert_default().set("code", problem.code.name());
        error
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => of_database(database.code().as_deref().unwrap_or(""), &error),
            // A server that closes a connection while it is greeted is a breach of protocol to the driver.
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => unavailable(&error),
            _ => internal(&error),
        }
    }
}

/// Maps the classes of SQLSTATE (Postgres manual, appendix A).
fn of_database(state: &str, error: &sqlx::Error) -> Problem {
    // Before the first migration even the role that reads is missing; Postgres calls that a bad parameter.
    let no_role = state == "22023" && error.to_string().contains("role");
    match state {
        "57014" => Problem::new(
            Code::QueryTooCostly,
            "the database needed too long for this query; use a narrower filter or a smaller page",
        ),
        _ if no_role => not_migrated(error),
        "42P01" | "3F000" | "42703" | "42501" => not_migrated(error),
        _ if ["08", "53", "57", "58", "25"].iter().any(|class| state.starts_with(class)) => {
            unavailable(error)
        }
        _ => internal(error),
    }
}

fn not_migrated(error: &sqlx::Error) -> Problem {
    tracing::warn!(%error, "the read models do not have the expected shape");
    Problem::new(
        Code::NotReady,
        "the read models do not have the shape that this release reads; run `gesta migrate`",
    )
}

fn unavailable(error: &sqlx::Error) -> Problem {
    tracing::warn!(%error, "the database is not reachable");
    away()
}

/// The database does not answer.
pub(crate) fn away() -> Problem {
    Problem::new(
        Code::Unavailable,
        "the database of the read models is not reachable; commands go on, ask again",
    )
}

/// The cause stays in the log, under an id that the client can name.
pub(crate) fn internal(error: &dyn std::fmt::Display) -> Problem {
    let cause = uuid::Uuid::new_v4();
    tracing::error!(%cause, %error, "a query failed unexpectedly");
    Problem::new(Code::Internal, format!("an unexpected error; the service's log has it under {cause}"))
}

/// Gives `error` its code.
pub(crate) fn stamp(error: &mut ServerError, code: Code) {
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code.name());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_cause_never_reaches_the_client() {
        let problem = Problem::from(sqlx::Error::ColumnNotFound("secret_column".into()));
        assert_eq!(problem.code, Code::Internal);
        assert!(!problem.detail.contains("secret_column"), "{}", problem.detail);
        assert_eq!(Problem::from(sqlx::Error::PoolTimedOut).code, Code::Unavailable);
    }
}
