//! Reading a request's body: type, encoding, size and pace.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use schemas::problem::Code;
use tokio::time::{Instant, timeout_at};

use super::rejection::Rejection;

/// Largest body of one command, in bytes.
pub(super) const MAX_BODY: usize = 256 * 1024;
/// Time that a body may take before its pace counts.
const GRACE: Duration = Duration::from_secs(5);
/// Slowest pace of a body, in bytes per second.
const MIN_PACE: f64 = 1024.0;

/// Reads a body of at most `limit` bytes in `media_type`. An empty one needs no type.
///
/// # Errors
/// 408, 413 or 415; 400 when the connection breaks.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    media_type: &str,
    limit: usize,
) -> Result<Bytes, Rejection> {
    let bytes = collect(headers, body, limit, GRACE).await?;
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if encoded {
        return Err(Rejection::new(Code::UnsupportedMediaType, "Content-Encoding: send the body as it is"));
    }
    match headers.get(header::CONTENT_TYPE) {
        Some(given) if is(given, media_type) => Ok(bytes),
        None if bytes.is_empty() => Ok(bytes),
        given => {
            let given = given.map_or("none", |given| given.to_str().unwrap_or("not ASCII"));
            let detail = format!("Content-Type is {given:?}; send {media_type}");
            Err(Rejection::new(Code::UnsupportedMediaType, detail))
        }
    }
}

/// Whether a `Content-Type` is `media_type`, in UTF-8 if it names a charset.
fn is(given: &HeaderValue, media_type: &str) -> bool {
    let Ok(given) = given.to_str() else { return false };
    let mut parts = given.split(';').map(str::trim);
    let essence = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(media_type));
    essence
        && parts.all(|parameter| {
            let charset = parameter.to_ascii_lowercase();
            !charset.starts_with("charset=")
                || charset.trim_start_matches("charset=").trim_matches('"') == "utf-8"
        })
}

async fn collect(headers: &HeaderMap, body: Body, limit: usize, grace: Duration) -> Result<Bytes, Rejection> {
    let too_large = |size: &str| {
        Rejection::new(Code::BodyTooLarge, format!("the body has {size} bytes, at most {limit} are taken"))
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = announced.filter(|length| *length > limit as u64) {
        return Err(too_large(&length.to_string()));
    }
    let begin = Instant::now();
    let mut frames = body.into_data_stream();
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    loop {
        let read = first.len() + rest.len();
        #[expect(clippy::cast_precision_loss, reason = "a body is far smaller than 2^52 bytes")]
        let deadline = begin + grace + Duration::from_secs_f64(read as f64 / MIN_PACE);
        let frame = timeout_at(deadline, frames.next()).await.map_err(|_| {
            let detail = format!("{read} bytes came in {:?}", begin.elapsed());
            Rejection::new(Code::BodyTooSlow, detail)
        })?;
        let Some(frame) = frame else { break };
        let frame = frame
            .map_err(|error| Rejection::new(Code::InvalidJson, format!("the body broke off: {error}")))?;
        if read + frame.len() > limit {
            return Err(too_large(&format!("more than {limit}")));
        }
        if read == 0 {
            first = frame;
        } else {
            rest.extend_from_slice(&frame);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    #[tokio::test]
    async fn a_body_that_stops_is_not_waited_for() {
        let begun = stream::iter([Ok::<_, std::io::Error>("{")]);
        let body = Body::from_stream(begun.chain(stream::pending()));
        let refused =
            collect(&HeaderMap::new(), body, MAX_BODY, Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(refused.0.code, "body_too_slow");
        assert!(refused.0.detail.starts_with("1 bytes came in"), "{}", refused.0.detail);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let broken = stream::iter([Ok("{"), Err(std::io::Error::other("reset"))]);
        let refused =
            collect(&HeaderMap::new(), Body::from_stream(broken), MAX_BODY, GRACE).await.unwrap_err();
        assert_eq!(refused.0.code, "invalid_json");
    }

    #[tokio::test]
    async fn parts_are_joined_in_order() {
        let parts = stream::iter(["{\"a\"", ":", "1}"].map(Ok::<_, std::io::Error>));
        let whole = collect(&HeaderMap::new(), Body::from_stream(parts), MAX_BODY, GRACE).await.unwrap();
        assert_eq!(whole, "{\"a\":1}");
    }
}
