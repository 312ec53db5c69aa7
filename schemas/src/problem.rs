//! The stable codes of everything that an answer can refuse (RFC 9457 problems; docs/errors.md).

use serde::{Deserialize, Serialize};

/// Prefix of every problem's `type`; the docs page has an anchor for each code.
pub const PROBLEM_BASE: &str = "https://gesta.dev/errors#";

/// What a refusal is, for programs. Codes are added, never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// 400: the body is not JSON.
    InvalidJson,
    /// 400: a key stands twice in one object.
    DuplicateKey,
    /// 400: the body is nested too deeply.
    TooDeep,
    /// 415: the content type is not supported.
    UnsupportedMediaType,
    /// 406: no offered media type is acceptable.
    NotAcceptable,
    /// 413: the body is too large.
    BodyTooLarge,
    /// 408: the body comes too slowly.
    BodyTooSlow,
    /// 422: the body does not fit the command's schema.
    SchemaViolation,
    /// 400: a header is not usable.
    InvalidHeader,
    /// 400: a query parameter is not usable.
    InvalidParameter,
    /// 404: the path does not name an aggregate.
    InvalidId,
    /// 404: there is nothing at this address.
    UnknownRoute,
    /// 405: the method is not allowed here.
    MethodNotAllowed,
    /// 404: there is no such aggregate.
    NotFound,
    /// 409: the aggregate exists already.
    AlreadyExists,
    /// 409: the aggregate's state does not allow the command.
    TransitionRefused,
    /// 409: a condition of the command does not hold.
    GuardRefused,
    /// 409: the lease is no longer yours.
    StaleFencingToken,
    /// 409: the fencing token was never issued for this task.
    LeaseHeldByOther,
    /// 409: the aggregate is at another version than `expectedVersion`.
    VersionConflict,
    /// 412: the aggregate is at another version than `If-Match`.
    PreconditionFailed,
    /// 422: the Idempotency-Key was used with another body.
    IdempotencyKeyReused,
    /// 422: the queue is not configured.
    UnknownQueue,
    /// 403: the tenant cannot be taken from a header here.
    TenantForbidden,
    /// 413: the command's events are too large for one commit.
    CommitTooLarge,
    /// 413: the batch has too many commands.
    BatchTooLarge,
    /// 503: the shard's queue is full.
    Busy,
    /// 503: the service is not ready for this command.
    NotReady,
    /// 503: the shard is stopped because its log is damaged.
    ShardStopped,
    /// 504: the outcome is not known in time.
    OutcomeUnknown,
    /// 400: the cursor is not one of this query.
    InvalidCursor,
    /// 400: the consistency token is not usable.
    InvalidToken,
    /// 504: the read models did not reach the token in time.
    TokenNotReached,
    /// 400: the query costs too much.
    QueryTooCostly,
    /// 400: the query is not valid.
    InvalidQuery,
    /// 503: a store is not reachable.
    Unavailable,
    /// 500: an unexpected error.
    Internal,
}

/// Code, name, HTTP status, title, advice.
type Row = (Code, &'static str, u16, &'static str, &'static str);

/// One row for each code, in the order of the enum.
const ROWS: &[Row] = &[
    (
        Code::InvalidJson,
        "invalid_json",
        400,
        "the body is not JSON",
        "Send one JSON object in UTF-8; the detail names line and column.",
    ),
    (
        Code::DuplicateKey,
        "duplicate_key",
        400,
        "a key stands twice in one object",
        "Send every key once; the pointer names it.",
    ),
    (Code::TooDeep, "too_deep", 400, "the body is nested too deeply", "Nest at most 64 levels."),
    (
        Code::UnsupportedMediaType,
        "unsupported_media_type",
        415,
        "the content type is not supported",
        "Send `Content-Type: application/json`, or `application/x-ndjson` to `/api/v1/commands`.",
    ),
    (
        Code::NotAcceptable,
        "not_acceptable",
        406,
        "no offered media type is acceptable",
        "Accept `application/json`.",
    ),
    (
        Code::BodyTooLarge,
        "body_too_large",
        413,
        "the body is too large",
        "Send at most 256 KiB; keep large inputs elsewhere and send a reference.",
    ),
    (Code::BodyTooSlow, "body_too_slow", 408, "the body comes too slowly", "Send at least 1 KiB a second."),
    (
        Code::SchemaViolation,
        "schema_violation",
        422,
        "the body does not fit the command's schema",
        "Mend what `errors` names; the schema stands in /openapi.json.",
    ),
    (
        Code::InvalidHeader,
        "invalid_header",
        400,
        "a header is not usable",
        "Mend the header that the detail names.",
    ),
    (Code::InvalidParameter, "invalid_parameter", 400, "a query parameter is not usable", "Mend or drop it."),
    (
        Code::InvalidId,
        "invalid_id",
        404,
        "the path does not name an aggregate",
        "Use the id that the creation answered.",
    ),
    (
        Code::UnknownRoute,
        "unknown_route",
        404,
        "there is nothing at this address",
        "See /openapi.json for every address.",
    ),
    (
        Code::MethodNotAllowed,
        "method_not_allowed",
        405,
        "the method is not allowed here",
        "Commands are sent with POST.",
    ),
    (
        Code::NotFound,
        "not_found",
        404,
        "there is no such aggregate",
        "Use the id that the creation answered, with the same tenant.",
    ),
    (
        Code::AlreadyExists,
        "already_exists",
        409,
        "the aggregate exists already",
        "Use another Idempotency-Key for another aggregate.",
    ),
    (
        Code::TransitionRefused,
        "transition_refused",
        409,
        "the aggregate's state does not allow the command",
        "`allowed` lists what it does allow.",
    ),
    (
        Code::GuardRefused,
        "guard_refused",
        409,
        "a condition of the command does not hold",
        "The detail says which.",
    ),
    (
        Code::StaleFencingToken,
        "stale_fencing_token",
        409,
        "the lease is no longer yours",
        "Stop working on the task; another worker may have it. Claim again.",
    ),
    (
        Code::LeaseHeldByOther,
        "lease_held_by_other",
        409,
        "the fencing token was never issued for this task",
        "Send the token that the claim answered.",
    ),
    (
        Code::VersionConflict,
        "version_conflict",
        409,
        "the aggregate is at another version than `expectedVersion`",
        "Read it again, decide again, send the new version.",
    ),
    (
        Code::PreconditionFailed,
        "precondition_failed",
        412,
        "the aggregate is at another version than `If-Match`",
        "Read it again, decide again, send the new ETag.",
    ),
    (
        Code::IdempotencyKeyReused,
        "idempotency_key_reused",
        422,
        "the Idempotency-Key was used with another body",
        "Use a new key for a new command; repeat a command with the very same body.",
    ),
    (
        Code::UnknownQueue,
        "unknown_queue",
        422,
        "the queue is not configured",
        "Name a configured queue, or set `queues.open` so that any name is one.",
    ),
    (
        Code::TenantForbidden,
        "tenant_forbidden",
        403,
        "the tenant cannot be taken from a header here",
        "Bind to a loopback address, or wait for identities.",
    ),
    (
        Code::CommitTooLarge,
        "commit_too_large",
        413,
        "the command's events are too large for one commit",
        "Send less in one command; a commit holds 900 KiB.",
    ),
    (
        Code::BatchTooLarge,
        "batch_too_large",
        413,
        "the batch has too many commands",
        "Send at most 1,000 lines in one batch.",
    ),
    (
        Code::Busy,
        "busy",
        503,
        "the shard's queue is full",
        "Wait as long as Retry-After says, then send the same command again.",
    ),
    (
        Code::NotReady,
        "not_ready",
        503,
        "the service is not ready for this command",
        "Wait as long as Retry-After says, then send the same command again.",
    ),
    (
        Code::ShardStopped,
        "shard_stopped",
        503,
        "the shard is stopped because its log is damaged",
        "An operator must look: `gesta log check` names file and position.",
    ),
    (
        Code::OutcomeUnknown,
        "outcome_unknown",
        504,
        "the outcome is not known in time",
        "Send the same command with the same Idempotency-Key: the answer tells what happened.",
    ),
    (
        Code::InvalidCursor,
        "invalid_cursor",
        400,
        "the cursor is not one of this query",
        "Begin without `after`, or pass the cursor of a page of the same query.",
    ),
    (
        Code::InvalidToken,
        "invalid_token",
        400,
        "the consistency token is not usable",
        "Pass the `position` of an answer unchanged.",
    ),
    (
        Code::TokenNotReached,
        "token_not_reached",
        504,
        "the read models did not reach the token in time",
        "Ask again; `projections` shows how far they are.",
    ),
    (
        Code::QueryTooCostly,
        "query_too_costly",
        400,
        "the query costs too much",
        "Ask for fewer fields, pages or aliases; the detail names the limit.",
    ),
    (Code::InvalidQuery, "invalid_query", 400, "the query is not valid", "Mend what the message names."),
    (
        Code::Unavailable,
        "unavailable",
        503,
        "a store is not reachable",
        "Wait as long as Retry-After says; /readyz names the store.",
    ),
    (
        Code::Internal,
        "internal",
        500,
        "an unexpected error",
        "Send the same command again; if it stays, look for the request id in the log.",
    ),
];

impl Code {
    /// Every code.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.0)
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The code as text, for example `stale_fencing_token`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().2
    }

    /// What happened, the same for every occurrence.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().3
    }

    /// What the caller can do.
    #[must_use]
    pub fn advice(self) -> &'static str {
        self.row().4
    }

    /// Whether sending the same again may succeed.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(self.status(), 503 | 504)
    }

    /// Absolute URI of the problem type.
    #[must_use]
    pub fn type_uri(self) -> String {
        format!("{PROBLEM_BASE}{}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_codes() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
            assert_eq!(serde_json::to_value(row.0).unwrap(), row.1, "the wire name is the serde name");
            assert!((400..600).contains(&row.2) && !row.4.is_empty());
        }
    }
}
