//! The parameters of a request: a JSON body, or a query string.

use async_graphql::Variables;
use axum::extract::Query;
use axum::http::Uri;
use schemas::json::{self, JsonError};
use schemas::problem::Code;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::engine::Ask;
use crate::problem::Problem;

/// Reads the body of a POST, or the payload of a `subscribe` message.
///
/// # Errors
/// `invalid_json`, `duplicate_key`, `too_deep` or `invalid_query`, naming the parameter.
pub(crate) fn from_json(body: &[u8]) -> Result<Ask, Problem> {
    from_value(json::parse(body).map_err(|error| unread("the body", &error))?)
}

/// The same for a value that was read already.
pub(crate) fn from_value(value: Value) -> Result<Ask, Problem> {
    let mut object = match value {
        Value::Object(object) => object,
        Value::Array(_) => return Err(invalid("batches are not accepted; send one operation per request")),
        _ => return Err(invalid("the body must be a JSON object with `query`")),
    };
    let query = match object.remove("query") {
        Some(Value::String(query)) => query,
        Some(_) => return Err(invalid("`query` must be a string")),
        None => return Err(invalid("`query` is missing")),
    };
    let operation_name = match object.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err(invalid("`operationName` must be a string")),
    };
    let variables = optional_object(object.remove("variables"), "variables")?;
    optional_object(object.remove("extensions"), "extensions")?;
    Ok(Ask { query, operation_name, variables: Variables::from_json(Value::Object(variables)) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryString {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// Reads the parameters of a GET.
///
/// # Errors
/// `invalid_query`, `invalid_json`, `duplicate_key` or `too_deep`, naming the parameter.
pub(crate) fn from_uri(uri: &Uri) -> Result<Ask, Problem> {
    let given = Query::<QueryString>::try_from_uri(uri)
        .map_err(|_| invalid("the query string has a parameter twice or is not in UTF-8"))?
        .0;
    let mut object = Map::new();
    for (name, text) in [("variables", given.variables), ("extensions", given.extensions)] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let value = json::parse(text.as_bytes()).map_err(|error| unread(&format!("`{name}`"), &error))?;
            object.insert(name.to_owned(), value);
        }
    }
    let texts =
        [("query", given.query), ("operationName", given.operation_name.filter(|name| !name.is_empty()))];
    object.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::String(text?)))));
    from_value(Value::Object(object))
}

fn optional_object(value: Option<Value>, name: &str) -> Result<Map<String, Value>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(invalid(&format!("`{name}` must be a JSON object"))),
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Code::InvalidQuery, detail)
}

fn unread(what: &str, error: &JsonError) -> Problem {
    Problem::new(error.code(), format!("{what} is not read as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_parameter_is_named() {
        for (body, part) in [
            (r#"{"query": 1}"#, "`query`"),
            ("{}", "`query` is missing"),
            (r#"{"query": "{a}", "operationName": {}}"#, "`operationName`"),
            (r#"{"query": "{a}", "variables": []}"#, "`variables`"),
            (r#"{"query": "{a}", "extensions": 0}"#, "`extensions`"),
            (r#"[{"query": "{a}"}]"#, "batches"),
            ("\"{a}\"", "JSON object"),
            ("{\"query\": \n \"{a", "line 2"),
            ("", "not read as JSON"),
            (r#"{"query": "{a}", "query": "{b}"}"#, "/query: this key stands twice"),
            (r#"{"query": "{a}", "variables": {"v": {"a": 1, "a": 2}}}"#, "/variables/v/a: this key"),
        ] {
            let problem = from_json(body.as_bytes()).unwrap_err();
            assert!(problem.detail.contains(part), "{body}: {}", problem.detail);
        }
        let deep =
            format!(r#"{{"query": "{{a}}", "variables": {{"v": {}{}}}}}"#, "[".repeat(70), "]".repeat(70));
        assert_eq!(from_json(deep.as_bytes()).unwrap_err().code, Code::TooDeep);
        let deeper = "[".repeat(100_000);
        assert_eq!(from_json(deeper.as_bytes()).unwrap_err().code, Code::TooDeep);
        assert_eq!(from_json(b"{\"query\": \"\xff\"}").unwrap_err().code, Code::InvalidJson);
    }

    #[test]
    fn a_query_string_carries_the_same() {
        let uri = "/graphql?query=%7Ba%7D&operationName=A&variables=%7B%22n%22%3A1%7D".parse().unwrap();
        let ask = from_uri(&uri).unwrap();
        assert_eq!((ask.query.as_str(), ask.operation_name.as_deref()), ("{a}", Some("A")));
        assert_eq!(ask.variables.into_value().to_string(), "{n: 1}");
        for bad in [
            "/graphql",
            "/graphql?query=a&query=b",
            "/graphql?query=%7Ba%7D&variables=%5B",
            "/graphql?query=%7Ba%7D&variables=3",
            "/graphql?query=%7Ba%7D&variables=%7B%22a%22:1,%22a%22:2%7D",
        ] {
            assert!(from_uri(&bad.parse().unwrap()).is_err(), "{bad}");
        }
    }
}
