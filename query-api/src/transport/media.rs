//! Content negotiation of GraphQL over HTTP.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use schemas::problem::Code;

use crate::problem::Problem;

/// The media type of an answer; it decides which status a document error has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status tells what happened.
    GraphqlResponse,
    /// `application/json`: every well-formed request is answered with 200, for older clients.
    Json,
}

impl Media {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    fn essence(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json",
            Self::Json => "application/json",
        }
    }
}

/// Picks the answer's media type from `Accept`; without one it is `application/json`.
///
/// # Errors
/// `not_acceptable` when the client takes neither.
pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Media, Problem> {
    let accepts: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if accepts.is_empty() {
        return Ok(Media::Json);
    }
    let ranges: Vec<_> = accepts.iter().flat_map(|value| value.split(',')).filter_map(range).collect();
    let new = quality(&ranges, Media::GraphqlResponse);
    let old = quality(&ranges, Media::Json);
    // A wildcard means an older client; the newer type wins only when it is named.
    match (new, old) {
        ((new, named), (old, _)) if new > 0.0 && (new > old || named && new >= old) => {
            Ok(Media::GraphqlResponse)
        }
        (_, (old, _)) if old > 0.0 => Ok(Media::Json),
        _ => Err(Problem::new(
            Code::NotAcceptable,
            "accept `application/graphql-response+json` or `application/json`",
        )),
    }
}

/// A media range in lower case with its quality.
fn range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
    Some((name, quality.unwrap_or(0.0)))
}

/// Quality of a type by the most specific range that fits, and whether that range names it.
fn quality(ranges: &[(String, f32)], media: Media) -> (f32, bool) {
    for (range, named) in [(media.essence(), true), ("application/*", false), ("*/*", false)] {
        if let Some((_, quality)) = ranges.iter().find(|(name, _)| name == range) {
            return (*quality, named);
        }
    }
    (0.0, false)
}

/// Refuses every body that is not JSON in UTF-8: a form or a plain text can be posted by any page
/// without the browser asking first.
///
/// # Errors
/// `unsupported_media_type`.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let refused =
        || Problem::new(Code::UnsupportedMediaType, "send `Content-Type: application/json`, in UTF-8");
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
    let text = text.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let json = parts.next() == Some("application/json");
    let charset = parts.find_map(|part| part.strip_prefix("charset=")).map(|name| name.trim_matches('"'));
    if json && charset.is_none_or(|name| matches!(name, "utf-8" | "utf8")) { Ok(()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_answer_has_a_type_that_the_client_takes() {
        let new = Some(Media::GraphqlResponse);
        let old = Some(Media::Json);
        for (accept, expected) in [
            ("application/graphql-response+json", new),
            ("application/graphql-response+json; charset=utf-8, application/json;q=0.9", new),
            ("application/json, application/graphql-response+json", new),
            ("application/json, application/graphql-response+json;q=0.5", old),
            ("application/json", old),
            ("*/*", old),
            ("application/*", old),
            ("text/html, */*;q=0.1", old),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=x", None),
        ] {
            assert_eq!(negotiate(&headers(ACCEPT, accept)).ok(), expected, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), Ok(Media::Json));
    }

    #[test]
    fn only_json_bodies_are_read() {
        for good in
            ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""]
        {
            assert_eq!(require_json(&headers(CONTENT_TYPE, good)), Ok(()), "{good}");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/json; charset=utf-16",
            "json",
        ] {
            assert_eq!(
                require_json(&headers(CONTENT_TYPE, bad)).unwrap_err().code,
                Code::UnsupportedMediaType,
                "{bad}"
            );
        }
        assert!(require_json(&HeaderMap::new()).is_err());
    }
}
