//! What a request says beside its body.

use std::time::Duration;

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use schemas::contract::Address;
use schemas::endpoint::is_loopback_name;
use schemas::problem::Code;
use uuid::Uuid;

use super::config::EdgeConfig;
use super::rejection::Rejection;
use crate::command::Expected;
use crate::principal::Principal;

/// Longest key, correlation and causation id, in characters.
const MAX_ID_CHARS: usize = 128;
/// How long an answer is waited for when the client says nothing.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// Longest wait that a client may ask for.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Media types of which one must be acceptable.
const ANSWERS: [&str; 5] =
    ["*/*", "application/*", "application/json", "application/problem+json", "application/x-ndjson"];

/// Header and query of one request.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) principal: Principal,
    pub(super) key: Option<String>,
    pub(super) correlation: String,
    pub(super) causation: Option<String>,
    pub(super) trace: Option<String>,
    pub(super) expected: Option<Expected>,
    pub(super) dry_run: bool,
    pub(super) wait: Duration,
    /// Whether the client asked for the wait.
    pub(super) wait_asked: bool,
}

impl Head {
    /// Reads header and query; `address` is absent for a batch, which has no precondition and no key.
    ///
    /// # Errors
    /// 400, 403 or 406, naming header or parameter.
    pub(super) fn read(
        parts: &Parts,
        address: Option<Address>,
        config: &EdgeConfig,
    ) -> Result<Self, Rejection> {
        let headers = &parts.headers;
        if !config.trusts_headers {
            let detail =
                "this address is not a loopback one, and there is no other way yet to say who you are";
            return Err(Rejection::new(Code::TenantForbidden, detail));
        }
        named_as_loopback(parts)?;
        accepts(headers)?;
        let (tenant, actor) = (single(headers, "x-gesta-tenant")?, single(headers, "x-gesta-actor")?);
        let principal = Principal::named(tenant, actor).map_err(|error| bad_header(&error.to_string()))?;
        let key = id(headers, "idempotency-key")?;
        if address.is_none() && key.is_some() {
            return Err(bad_header("Idempotency-Key: each line of a batch has its own `key`"));
        }
        let asked = wait(headers)?;
        Ok(Self {
            principal,
            key,
            correlation: id(headers, "x-correlation-id")?.unwrap_or_else(|| Uuid::new_v4().to_string()),
            causation: id(headers, "x-causation-id")?,
            trace: single(headers, "traceparent")?.filter(|trace| is_traceparent(trace)).map(str::to_owned),
            expected: expected(headers, address)?,
            dry_run: dry_run(&parts.uri)?,
            wait: asked.unwrap_or(DEFAULT_WAIT),
            wait_asked: asked.is_some(),
        })
    }
}

fn bad_header(detail: &str) -> Rejection {
    Rejection::new(Code::InvalidHeader, detail)
}

/// The one value of a header.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let (value, more) = (values.next(), values.next());
    if more.is_some() {
        return Err(bad_header(&format!("{name} stands twice")));
    }
    let text = value.map(HeaderValue::to_str).transpose();
    text.map_err(|_| bad_header(&format!("{name} has characters other than visible ASCII")))
}

/// An id of at most 128 visible ASCII characters.
fn id(headers: &HeaderMap, name: &str) -> Result<Option<String>, Rejection> {
    let Some(value) = single(headers, name)? else { return Ok(None) };
    if is_id(value) {
        return Ok(Some(value.to_owned()));
    }
    Err(bad_header(&format!("{name} must have 1 to {MAX_ID_CHARS} visible ASCII characters and no blank")))
}

/// Whether a text may be a key, correlation, causation or request id.
pub(super) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// See [`is_loopback_name`].
fn named_as_loopback(parts: &Parts) -> Result<(), Rejection> {
    let given = parts.headers.get(header::HOST).map(HeaderValue::as_bytes);
    let Some(host) = given.or_else(|| parts.uri.authority().map(|authority| authority.as_str().as_bytes()))
    else {
        return Ok(());
    };
    let authority = Authority::try_from(host).map_err(|_| bad_header("Host is not a host and port"))?;
    if is_loopback_name(authority.host()) {
        return Ok(());
    }
    let detail = format!(
        "Host is {authority}; headers are trusted under a loopback name only, such as 127.0.0.1 or localhost"
    );
    Err(Rejection::new(Code::TenantForbidden, detail))
}

fn accepts(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut given = headers.get_all(header::ACCEPT).iter().peekable();
    if given.peek().is_none() {
        return Ok(());
    }
    let types = given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut essences =
        types.filter_map(|range| range.split(';').next()).map(|range| range.trim().to_ascii_lowercase());
    if essences.any(|essence| ANSWERS.contains(&essence.as_str())) {
        return Ok(());
    }
    Err(Rejection::new(Code::NotAcceptable, "Accept has none of application/json, application/* and */*"))
}

/// `Prefer: wait=n`, capped; other preferences are ignored, as RFC 7240 asks.
fn wait(headers: &HeaderMap) -> Result<Option<Duration>, Rejection> {
    for value in headers.get_all("prefer") {
        let value =
            value.to_str().map_err(|_| bad_header("Prefer has characters other than visible ASCII"))?;
        for preference in value.split(',').map(str::trim) {
            let Some((name, seconds)) = preference.split_once('=') else { continue };
            if name.trim().eq_ignore_ascii_case("wait") {
                let seconds = seconds.trim().parse::<u32>();
                let seconds = seconds.map_err(|_| bad_header("Prefer: wait=n needs n in whole seconds"))?;
                return Ok(Some(Duration::from_secs(seconds.into()).min(MAX_WAIT)));
            }
        }
    }
    Ok(None)
}

/// `If-Match: "n"` for an existing aggregate, `If-None-Match: *` for a new one.
fn expected(headers: &HeaderMap, address: Option<Address>) -> Result<Option<Expected>, Rejection> {
    let given = (single(headers, "if-match")?, single(headers, "if-none-match")?);
    match (given, address) {
        ((None, None), _) => Ok(None),
        ((Some(etag), None), Some(Address::Act(_))) => {
            let version = etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"'));
            let version = version.and_then(|digits| digits.parse::<u64>().ok());
            let version = version
                .ok_or_else(|| bad_header("If-Match must be one version in quotes, as an ETag has it"))?;
            Ok(Some(Expected::IfMatch(version)))
        }
        ((None, Some("*")), Some(Address::Create)) => Ok(Some(Expected::Absent)),
        ((None, Some(_)), Some(Address::Create)) => Err(bad_header("If-None-Match takes `*` only")),
        ((Some(_), _), _) => Err(bad_header("If-Match goes with a command on one existing aggregate only")),
        ((None, Some(_)), _) => Err(bad_header("If-None-Match goes with a creation only")),
    }
}

/// W3C trace context, version 00 and up. One that is not well-formed is ignored, as it asks.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    matches!(parts[..], [version, trace, span, flags]
        if hex(version, 2) && version != "ff" && hex(trace, 32) && !zero(trace) && hex(span, 16) && !zero(span) && hex(flags, 2))
}

fn dry_run(uri: &Uri) -> Result<bool, Rejection> {
    match uri.query() {
        None | Some("" | "dryRun=false") => Ok(false),
        Some("dryRun=true") => Ok(true),
        Some(query) => {
            let shown: String = query.chars().take(100).collect();
            let detail = format!("?{shown}: the one parameter is `dryRun=true` or `dryRun=false`");
            Err(Rejection::new(Code::InvalidParameter, detail))
        }
    }
}
