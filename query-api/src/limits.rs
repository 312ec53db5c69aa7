//! Every bound of the query API, with its unit. Nothing here grows with what a client sends.

use std::time::Duration;

/// Largest request body, in bytes; also the largest message of a socket.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;
/// Most tokens of one document.
pub(crate) const MAX_TOKENS: usize = 4_000;
/// Deepest nesting of fields.
pub(crate) const MAX_DEPTH: u32 = 12;
/// Deepest nesting below `__schema` and `__type`; the usual introspection query needs 14.
pub(crate) const MAX_INTROSPECTION_DEPTH: u32 = 20;
/// How often the lists of introspection may be nested into each other.
pub(crate) const MAX_INTROSPECTION_LISTS: u32 = 2;
/// Most aliases of one selection set.
pub(crate) const MAX_ALIASES_PER_SELECTION: usize = 15;
/// Most aliases of one document.
pub(crate) const MAX_ALIASES: usize = 100;
/// Most directives of one document.
pub(crate) const MAX_DIRECTIVES: usize = 10;
/// Largest cost of one operation: its fields, those below a list once per item of the page.
pub(crate) const MAX_COST: u64 = 5_000;
/// Largest page, in items.
pub(crate) const MAX_PAGE: u64 = 100;
/// Page without `first` or `last`, in items.
pub(crate) const DEFAULT_PAGE: u64 = 20;
/// Most errors of one answer.
pub(crate) const MAX_ERRORS: usize = 10;
/// Largest answer, in bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Longest header value that is read (tenant, actor, token), in bytes.
pub(crate) const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Most values of a list in a filter.
pub(crate) const MAX_FILTER_VALUES: usize = 100;
/// Longest text in a filter or an id, in characters.
pub(crate) const MAX_FILTER_CHARS: usize = 200;
/// Hits of a search without `first`.
pub(crate) const DEFAULT_HITS: u64 = 10;
/// Longest query of a search, in characters.
pub(crate) const MAX_SEARCH_CHARS: usize = 1_000;
/// Most words of a search; what follows is not looked for.
pub(crate) const MAX_SEARCH_WORDS: usize = 32;
/// Most events that a causation tree takes in.
pub(crate) const MAX_CAUSATION_EVENTS: i64 = 1_000;
/// Most events that a field is followed through to its last change; beyond, only the row's provenance is told.
pub(crate) const MAX_TRACED_EVENTS: i64 = 20_000;
/// Events that are read in one step for that.
pub(crate) const TRACE_BATCH: i64 = 500;

/// Longest life of one request, waiting for its token included.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest time in which a body must have arrived.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that one SQL statement may take.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a query waits for its token unless the options say otherwise.
pub(crate) const TOKEN_WAIT: Duration = Duration::from_secs(5);
/// Longest time between two looks at the projections when no notification comes.
pub(crate) const PROGRESS_POLL: Duration = Duration::from_millis(500);

/// Most open sockets of one principal (tenant and actor).
pub(crate) const MAX_SOCKETS_PER_PRINCIPAL: usize = 5;
/// Most open sockets in all.
pub(crate) const MAX_SOCKETS: usize = 1_000;
/// Most operations of one socket at a time.
pub(crate) const MAX_OPERATIONS_PER_SOCKET: usize = 50;
/// Longest time from the upgrade to `connection_init`.
pub(crate) const INIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent client is pinged; one that answers nothing for three times as long is closed.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Messages that wait for a slow reader of a socket.
pub(crate) const SOCKET_BUFFER: usize = 64;
/// Longest time that a full buffer may stay full before the socket is closed.
pub(crate) const SLOW_READER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest id of an operation of a socket, in bytes.
pub(crate) const MAX_OPERATION_ID_BYTES: usize = 128;
/// Events that a subscription reads in one step.
pub(crate) const SUBSCRIPTION_BATCH: i64 = 200;
