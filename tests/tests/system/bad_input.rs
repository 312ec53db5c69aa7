//! What cannot be taken is refused by name, at its place, and changes nothing.

use reqwest::Method;
use serde_json::json;

use crate::support::api::{Answer, Api};
use crate::support::shared::api;

/// Status, code, and the JSON Pointer of the fault.
struct Refusal(u16, &'static str, Option<&'static str>);

fn check(what: &str, answer: Answer, Refusal(status, code, pointer): &Refusal) {
    assert_eq!(answer.status, *status, "{what}: {answer:#?}");
    let answer = answer.is(*status, code);
    let named = answer.body.pointer("/errors/0/pointer").and_then(|pointer| pointer.as_str());
    assert_eq!(named, *pointer, "{what}: {answer:#?}");
    assert!(
        answer.text("/instance") == answer.header("x-request-id").unwrap_or_default(),
        "{what}: {answer:#?}"
    );
}

async fn post(api: &Api, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    api.request(Method::POST, path).header("content-type", kind).body(body).send().await
}

/// What it is, the body, how it is refused.
type Row = (&'static str, Vec<u8>, Refusal);

/// What is no JSON, or more of it than is taken.
fn unreadable() -> Vec<Row> {
    let deep = format!(
        "{{\"type\":\"t\",\"title\":\"t\",\"payload\":{}1{}}}",
        "{\"a\":".repeat(100),
        "}".repeat(100)
    );
    let large = format!("{{\"type\":\"t\",\"title\":\"{}\"}}", "x".repeat(257 * 1024));
    vec![
        ("cut JSON", b"{\"type\":".to_vec(), Refusal(400, "invalid_json", Some(""))),
        ("no JSON", b"type=t".to_vec(), Refusal(400, "invalid_json", Some(""))),
        ("two objects", b"{}{}".to_vec(), Refusal(400, "invalid_json", Some(""))),
        (
            "not UTF-8",
            b"{\"type\":\"\xff\xfe\",\"title\":\"t\"}".to_vec(),
            Refusal(400, "invalid_json", Some("")),
        ),
        (
            "a zero in a text",
            br#"{"type":"t","title":"a\u0000"}"#.to_vec(),
            Refusal(400, "invalid_json", Some("")),
        ),
        (
            "a key twice",
            br#"{"type":"t","title":"a","title":"b"}"#.to_vec(),
            Refusal(400, "duplicate_key", Some("/title")),
        ),
        (
            "a key twice inside",
            br#"{"type":"t","title":"a","payload":{"x":[{"y":1,"y":2}]}}"#.to_vec(),
            Refusal(400, "duplicate_key", Some("/payload/x/0/y")),
        ),
        ("a depth bomb", deep.into_bytes(), Refusal(400, "too_deep", None)),
        ("too many bytes", large.into_bytes(), Refusal(413, "body_too_large", None)),
        (
            "a number beyond 64 bits",
            br#"{"type":"t","title":"t","payload":{"n":99999999999999999999}}"#.to_vec(),
            Refusal(400, "invalid_json", Some("")),
        ),
    ]
}

/// JSON that does not fit its schema.
fn unfitting() -> Vec<Row> {
    vec![
        ("an array", b"[]".to_vec(), Refusal(422, "schema_violation", Some(""))),
        (
            "an unknown key",
            br#"{"type":"t","title":"t","tittle":"t"}"#.to_vec(),
            Refusal(422, "schema_violation", Some("/tittle")),
        ),
        ("a missing key", br#"{"type":"t"}"#.to_vec(), Refusal(422, "schema_violation", Some("/title"))),
        (
            "another type",
            br#"{"type":7,"title":"t"}"#.to_vec(),
            Refusal(422, "schema_violation", Some("/type")),
        ),
        (
            "a number out of range",
            br#"{"type":"t","title":"t","policy":{"leaseMs":1}}"#.to_vec(),
            Refusal(422, "schema_violation", Some("/policy/leaseMs")),
        ),
        (
            "a name that is none",
            br#"{"type":"t","title":"t","queue":"a/b"}"#.to_vec(),
            Refusal(422, "schema_violation", Some("/queue")),
        ),
        (
            "no instant",
            br#"{"type":"t","title":"t","runAt":"tomorrow"}"#.to_vec(),
            Refusal(422, "schema_violation", Some("/runAt")),
        ),
        (
            "no id",
            br#"{"type":"t","title":"t","parentId":"p"}"#.to_vec(),
            Refusal(422, "schema_violation", Some("/parentId")),
        ),
    ]
}

/// PLAT-16, PLAT-20: bodies that are none, too large, too deep, of another form.
#[tokio::test]
async fn a_bad_body_is_refused_at_its_place() {
    let api = api().await;
    for (what, body, refusal) in unreadable().into_iter().chain(unfitting()) {
        check(what, post(&api, "tasks", "application/json", body).await, &refusal);
    }
    assert!(api.events().await.is_empty(), "nothing that was refused stands in the log");
}

/// PLAT-20: types, addresses, methods, ids, headers and parameters.
#[tokio::test]
async fn a_bad_request_is_refused_by_name() {
    let api = api().await;
    let body = r#"{"type":"t","title":"t"}"#;
    let absent = "8e88a6c9-40b0-87c7-a154-418b24b15ccd";
    let missing = post(&api, &format!("tasks/{absent}/cancel"), "application/json", "{}").await;
    check("an id of nothing", missing, &Refusal(404, "not_found", None));
    let rows: [(&str, Method, &str, &str, Refusal); 9] = [
        ("another type", Method::POST, "tasks", "text/plain", Refusal(415, "unsupported_media_type", None)),
        (
            "another charset",
            Method::POST,
            "tasks",
            "application/json; charset=latin1",
            Refusal(415, "unsupported_media_type", None),
        ),
        ("no such address", Method::POST, "tassks", "application/json", Refusal(404, "unknown_route", None)),
        (
            "no such verb",
            Method::POST,
            "tasks/8e88a6c9-40b0-87c7-a154-418b24b15ccd/dance",
            "application/json",
            Refusal(404, "unknown_route", None),
        ),
        (
            "another method",
            Method::GET,
            "tasks",
            "application/json",
            Refusal(405, "method_not_allowed", None),
        ),
        ("no id", Method::POST, "tasks/seven/cancel", "application/json", Refusal(404, "invalid_id", None)),
        (
            "a foreign id",
            Method::POST,
            "tasks/8e88a6c9-40b0-47c7-a154-418b24b15ccd/cancel",
            "application/json",
            Refusal(404, "invalid_id", None),
        ),
        (
            "an unknown parameter",
            Method::POST,
            "tasks?dry=true",
            "application/json",
            Refusal(400, "invalid_parameter", None),
        ),
        (
            "a system's command",
            Method::POST,
            "tasks/8e88a6c9-40b0-87c7-a154-418b24b15ccd/make_due",
            "application/json",
            Refusal(404, "unknown_route", None),
        ),
    ];
    for (what, method, path, kind, refusal) in rows {
        let call = api.request(method, path).header("content-type", kind).body(body);
        check(what, call.send().await, &refusal);
    }
    assert!(api.events().await.is_empty(), "nothing that was refused stands in the log");
}

/// PLAT-20: headers are named.
#[tokio::test]
async fn a_bad_header_is_named() {
    let api = api().await;
    let absent = "8e88a6c9-40b0-87c7-a154-418b24b15ccd";
    let long = "k".repeat(129);
    for (name, value) in [
        ("idempotency-key", long.as_str()),
        ("if-match", "7"),
        ("if-match", "\"7\", \"8\""),
        ("prefer", "wait=soon"),
        ("x-gesta-actor", "alice"),
        ("x-gesta-actor", "robot/alice"),
        ("x-correlation-id", ""),
        ("x-request-id", &long),
    ] {
        let call = api
            .request(Method::POST, &format!("tasks/{absent}/cancel"))
            .header("content-type", "application/json");
        let refused = call.header(name, value).body("{}").send().await.is(400, "invalid_header");
        assert!(
            refused.text("/detail").to_lowercase().contains(name.trim_start_matches("x-gesta-")),
            "{name}: {refused:#?}"
        );
    }
    check(
        "an own id of the shards",
        api.command("tasks", &json!({ "type": "t", "title": "t" })).key("gesta:due:1").send().await,
        &Refusal(409, "guard_refused", Some("")),
    );
    assert!(api.events().await.is_empty(), "nothing that was refused stands in the log");
}

/// PLAT-20: a batch that is too long, or of another type.
#[tokio::test]
async fn a_bad_batch_is_refused_whole() {
    let api = api().await;
    let line = "{\"command\":\"task.create\",\"body\":{\"type\":\"t\",\"title\":\"t\"}}\n";
    let refused = post(&api, "commands", "application/x-ndjson", line.repeat(1_001)).await;
    check("too many lines", refused, &Refusal(413, "batch_too_large", None));
    let refused = post(&api, "commands", "application/json", line).await;
    check("another type", refused, &Refusal(415, "unsupported_media_type", None));
    assert!(api.events().await.is_empty());
}

/// PLAT-20: queries that are none.
#[tokio::test]
async fn a_bad_query_is_refused() {
    let api = api().await;
    let url = format!("{}/graphql", api.base);
    for (body, kind, status) in [
        ("{", "application/json", 400),
        ("{\"query\":7}", "application/json", 400),
        ("{\"query\":\"{ tasks\"}", "application/json", 200),
        ("{ tasks { totalCount } }", "text/plain", 415),
    ] {
        let answer = api.http.post(&url).header("content-type", kind).body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{body}");
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert!(
            answer["errors"][0]["extensions"]["code"].is_string() && answer.get("data").is_none(),
            "{body}: {answer}"
        );
    }
}
