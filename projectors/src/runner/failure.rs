//! Classes of failure, decided by type (reliability: an outage is waited out, for ever; anything else
//! stops what it concerns, visibly).

use std::any::Any;

use event_log::{KafkaError, PublishError, ReadError};
use schemas::ids::Stream;
use uuid::Uuid;

use super::breaker;
use super::parked::Limits;

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Postgres is away, overloaded or in a conflict: the same batch will go through later.
    #[error("Postgres: {0}; waiting for it")]
    Outage(sqlx::Error),
    /// Another worker moved the cursor.
    #[error("another worker is ahead")]
    Lost,
    /// The log cannot be read on.
    #[error(transparent)]
    Log(ReadError),
    /// The database belongs to another log.
    #[error(
        "this database holds the read models of another log ({of_rows}) than this one ({log}): point GESTA_POSTGRES_URL at an \
         empty database, or --data-dir at the log that the database belongs to"
    )]
    OtherLog {
        /// Log of the stored cursor.
        of_rows: Uuid,
        /// The log that is read.
        log: Uuid,
    },
    /// Postgres refuses the batch, now and later.
    #[error("Postgres refuses the rows: {0}")]
    Refused(sqlx::Error),
    /// The rows do not fit the events.
    #[error(
        "the rows of {0} lack an event that lies before the cursor: they were changed by someone else. Rebuild them"
    )]
    Gap(&'static str),
    /// Read models that always move together stand at different places.
    #[error("the stored cursors of {} differ: they were changed by someone else. Rebuild them", .0.join(" and "))]
    Apart(&'static [&'static str]),
    /// An event cannot be read or applied, and the run is one that parks nothing.
    #[error("offset {offset}, event {index}, projection {projection}: {error}")]
    Poison {
        /// Offset of its commit.
        offset: u64,
        /// Index in the commit.
        index: u16,
        /// The projection, or the first of those that cannot.
        projection: &'static str,
        /// Why.
        error: String,
    },
    /// Events of many streams fail at once: that is no poison.
    #[error(
        "offset {offset}: {projection} failed on events of {} streams within {} s, which counts as an outage; nothing \
         more is parked until it can apply one. The last failure: {error}",
        breaker::STREAMS, breaker::WITHIN.as_secs()
    )]
    Broad {
        /// The projection.
        projection: &'static str,
        /// Offset of the last one's commit.
        offset: u64,
        /// Its failure.
        error: String,
    },
    /// The public topics are away, or other than they must be.
    #[error("{0}")]
    Topics(#[from] KafkaError),
    /// Events that were handed to the brokers may stand in the public topics or not.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A projection would have to park more than it may: it stops before that, nothing is dropped.
    #[error(
        "offset {offset}: {projection} has too many dead letters to park another one of {stream} ({} streams of this \
         shard, {} letters of a stream); see `gesta dlq list`, then redrive them",
        limits.streams, limits.letters
    )]
    Overflow {
        /// The projection.
        projection: &'static str,
        /// Stream of the event.
        stream: Stream,
        /// Offset of its commit.
        offset: u64,
        /// How many it may.
        limits: Limits,
    },
    /// The code of a projection failed.
    #[error("a projection failed in a way it should not: {0}. This is a defect of this release")]
    Panicked(String),
}

/// Whether a failure that an event may be the reason of will be one the next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The same rows are refused for ever.
    Permanent,
    /// It may have been anything.
    Unclear,
}

impl Class {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Unclear => "unclear",
        }
    }
}

impl Failure {
    pub(crate) fn gap(name: &'static str) -> Self {
        Self::Gap(name)
    }

    /// The class of a failure that an event may be the reason of; none of any other.
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Self::Refused(error) if is_of_a_row(error) => Some(Class::Permanent),
            Self::Gap(_) | Self::Panicked(_) => Some(Class::Unclear),
            _ => None,
        }
    }

    /// Where an event failed: in the fold, or when its rows were written.
    pub(crate) fn stage(&self) -> &'static str {
        if matches!(self, Self::Refused(_)) { "write" } else { "handle" }
    }

    /// Whether it ends by itself.
    pub(crate) fn is_waited_out(&self) -> bool {
        matches!(self, Self::Outage(_) | Self::Broad { .. })
    }
}

/// What a panic says.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Failure::Panicked(text.unwrap_or("no message").to_owned())
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OtherLog { cursor_log, log, .. } if cursor_log != log => {
                Self::OtherLog { of_rows: cursor_log, log }
            }
            error => Self::Log(error),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if is_outage(&error) { Self::Outage(error) } else { Self::Refused(error) }
    }
}

/// Whether waiting helps: connection, timeout, conflict, resources, an operator's intervention.
pub(crate) fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| is_outage_code(&code)),
        _ => false,
    }
}

/// 08 connection, 25006 a standby, 40 conflict, 53 resources, 55 locked or not accepting, 57 intervention, 58 system.
fn is_outage_code(code: &str) -> bool {
    ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class)) || code == "25006"
}

/// Whether Postgres refuses the values of a row, rather than the statement.
fn is_of_a_row(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_) => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| is_row_code(&code)),
        _ => false,
    }
}

/// 22 data, 23 constraint, 54 a limit such as the size of an index entry.
fn is_row_code(code: &str) -> bool {
    ["22", "23", "54"].iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_told_from_refusals() {
        for code in [
            "08006", "40001", "40P01", "53100", "53300", "57P01", "57P03", "57014", "55000", "55P03",
            "25006", "58030",
        ] {
            assert!(is_outage_code(code), "{code} is an outage");
        }
        for code in ["23505", "22021", "42P01", "42501", "XX000"] {
            assert!(!is_outage_code(code), "{code} is a refusal");
        }
        for (code, of_a_row) in [
            ("23505", true),
            ("22021", true),
            ("54000", true),
            ("42P01", false),
            ("42501", false),
            ("XX001", false),
        ] {
            assert_eq!(is_row_code(code), of_a_row, "{code}");
        }
        assert!(is_outage(&sqlx::Error::PoolTimedOut));
        assert!(!is_outage(&sqlx::Error::RowNotFound));
    }
}
