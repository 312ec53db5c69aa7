use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use query_api::QueryOptions;
use serde_json::{Value, json};

use crate::api::Api;
use crate::rows::{insert, task};

fn request(method: Method, content_type: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri("/graphql").header("accept", "application/json");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.body(body.into()).unwrap()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

/// Requests that are not GraphQL over HTTP: each with its status and code, in one shape.
#[tokio::test]
async fn a_request_of_another_form_is_refused() {
    let api = Api::start().await;
    let json_type = Some("application/json");
    let query = r#"{"query":"{ __typename }"}"#;
    let twice = r#"{"query":"{ __typename }","query":"{ tasks { totalCount } }"}"#;
    let deep = format!(
        r#"{{"query":"{{ __typename }}","variables":{{"a":{}1{}}}}}"#,
        "[".repeat(70),
        "]".repeat(70)
    );
    let cases: Vec<(&str, Request<Body>, u16, &str)> = vec![
        (
            "text/plain needs no preflight",
            request(Method::POST, Some("text/plain"), query),
            415,
            "unsupported_media_type",
        ),
        (
            "a form needs none either",
            request(Method::POST, Some("application/x-www-form-urlencoded"), "query=%7B__typename%7D"),
            415,
            "unsupported_media_type",
        ),
        ("no type", request(Method::POST, None, query), 415, "unsupported_media_type"),
        ("a batch", request(Method::POST, json_type, format!("[{query},{query}]")), 400, "invalid_query"),
        (
            "a batch of 20,000",
            request(Method::POST, json_type, format!("[{}]", vec!["1"; 20_000].join(","))),
            400,
            "invalid_query",
        ),
        (
            "3 MB",
            request(Method::POST, json_type, format!("{{\"query\":\"{}\"}}", " ".repeat(3 << 20))),
            413,
            "body_too_large",
        ),
        ("deep JSON", request(Method::POST, json_type, deep), 400, "too_deep"),
        (
            "not UTF-8",
            request(Method::POST, json_type, b"{\"query\":\"\xff\"}".to_vec()),
            400,
            "invalid_json",
        ),
        ("cut JSON", request(Method::POST, json_type, "{\"query\":"), 400, "invalid_json"),
        ("a key twice", request(Method::POST, json_type, twice), 400, "duplicate_key"),
        ("PUT", request(Method::PUT, json_type, query), 405, "method_not_allowed"),
        ("DELETE", request(Method::DELETE, None, ""), 405, "method_not_allowed"),
    ];
    for (name, request, status, expected) in cases {
        let (got, answer) = api.send(request).await;
        assert_eq!((got.as_u16(), code(&answer)), (status, expected), "{name}: {answer}");
        assert!(answer["data"].is_null() && answer["errors"][0]["message"].is_string(), "{name}: {answer}");
    }
}

/// GET is for queries; the answer has a type that the client takes; a foreign page gets none.
#[tokio::test]
async fn a_get_only_reads() {
    let api = Api::start().await;
    let get = |query: &str| Request::get(format!("/graphql?query={query}")).body(Body::empty()).unwrap();
    assert_eq!(api.send(get("mutation%7B__typename%7D")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(api.send(get("subscription%7BtaskChanged%7Bcursor%7D%7D")).await.0, StatusCode::OK);
    let accept =
        Request::get("/graphql?query=%7B__typename%7D").header("accept", "text/html").body(Body::empty());
    assert_eq!(api.send(accept.unwrap()).await.0, StatusCode::NOT_ACCEPTABLE);
    let foreign = Request::get("/graphql?query=%7B__typename%7D")
        .header("origin", "https://evil.example")
        .header("host", "127.0.0.1");
    assert_eq!(api.send(foreign.body(Body::empty()).unwrap()).await.0, StatusCode::BAD_REQUEST);
}

/// Documents that cost more than they are worth: refused before they are validated.
#[tokio::test]
async fn a_costly_document_is_refused() {
    let api = Api::start().await;
    let doubling = |links: usize| {
        let links: String =
            (0..links).map(|n| format!("fragment F{n} on Query {{ ...F{m} ...F{m} }} ", m = n + 1)).collect();
        links
    };
    let chain = format!("{{ ...F0 }} {}fragment F22 on Query {{ __typename }}", doubling(22));
    let aliases: String = (0..16).map(|n| format!("a{n}: __typename ")).collect();
    let deep = format!("{{ tasks {} id {} }}", "{ nodes { parent ".repeat(8), "} }".repeat(8));
    for (name, query, expected) in [
        ("22 doubling fragments", chain, "query_too_costly"),
        (
            "a cycle",
            "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".into(),
            "invalid_query",
        ),
        ("depth", deep, "query_too_costly"),
        ("aliases", format!("{{ {aliases} }}"), "query_too_costly"),
        ("directives", format!("{{ {} }}", "__typename @skip(if: false) ".repeat(11)), "query_too_costly"),
        ("unknown directives", format!("{{ __typename {} }}", "@x ".repeat(9)), "invalid_query"),
        ("repeated fields", format!("{{ {} }}", "__typename ".repeat(5_000)), "query_too_costly"),
        (
            "fan-out",
            "{ tasks(first: 100) { nodes { children(first: 100) { nodes { id } } } } }".into(),
            "query_too_costly",
        ),
        ("first", "{ tasks(first: 3000000) { nodes { id } } }".into(), "invalid_query"),
        (
            "a circle of introspection",
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".into(),
            "query_too_costly",
        ),
        ("NUL", "{ queues(name: \"\\u0000\") { nodes { name } } }".into(), "invalid_query"),
        ("a huge number", "{ tasks(first: 99999999999999999999) { nodes { id } } }".into(), "invalid_query"),
        (
            "deep lists",
            format!(
                "{{ tasks(filter: {{queue: {}{}}}) {{ nodes {{ id }} }} }}",
                "[".repeat(3_000),
                "]".repeat(900)
            ),
            "invalid_query",
        ),
    ] {
        assert_eq!(api.code("acme", &query, json!({})).await, expected, "{name}");
    }
    assert_eq!(
        api.code("acme", "query($n: String) { queues(name: $n) { nodes { name } } }", json!({"n": "a\u{0}"}))
            .await,
        "invalid_json"
    );
}

/// An answer has a size that it may not pass, whatever its document costs. The next question is answered.
#[tokio::test]
async fn a_huge_answer_is_refused() {
    let api = Api::start().await;
    let half_a_mebibyte = json!({"payload": {"text": "x".repeat(512 * 1024)}});
    for number in 0..9 {
        insert(&api.writer, "task_list", task("acme", number, half_a_mebibyte.clone())).await;
    }
    let query = "query($n: Int) { tasks(first: $n) { nodes { id payload } } }";
    let (status, answer) = api.ask("acme", query, json!({"n": 9})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{}", answer["errors"]);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "query_too_costly", "{}", answer["errors"]);
    assert!(answer["data"].is_null(), "nothing of it is sent");
    let seven = api.data("acme", query, json!({"n": 7})).await;
    assert_eq!(seven["tasks"]["nodes"].as_array().unwrap().len(), 7);
}

/// What probing tools look for: suggestions, inner detail, floods of errors, a schema given to anyone.
#[tokio::test]
async fn probing_finds_nothing() {
    let api = Api::start().await;
    let (_, answer) = api.ask("acme", "{ taks { nodes { idd } } }", json!({})).await;
    let text = answer.to_string().to_lowercase();
    assert!(!text.contains("did you mean") && !text.contains("\"tasks\""), "{text}");
    let unknown: String = (0..60).map(|n| format!("f{n} ")).collect();
    let (_, answer) = api.ask("acme", &format!("{{ {unknown} }}"), json!({})).await;
    assert!(answer["errors"].as_array().unwrap().len() <= 10, "{answer}");
    for query in [
        "{",
        "{ tasks(filter: 1) { nodes { id } } }",
        "{ task { id } }",
        "mutation { x }",
        "{ events(filter: {since: \"x\"}) { nodes { id } } }",
    ] {
        let (_, answer) = api.ask("acme", query, json!({})).await;
        let text = answer.to_string();
        let inner = ["SELECT", "gesta.", "/root", ".rs", "sqlx", "panicked", "alloc::"];
        assert!(inner.iter().all(|word| !text.contains(word)), "{query}: {text}");
        assert!(
            answer["errors"].as_array().unwrap().iter().all(|error| error["extensions"]["code"].is_string()),
            "{text}"
        );
    }
    let closed = Api::with(QueryOptions { introspection: false, ..QueryOptions::default() }).await;
    let (_, answer) = closed.ask("acme", "{ __schema { types { name } } }", json!({})).await;
    assert!(!answer.to_string().contains("TaskConnection"), "{answer}");
    let schema = || Request::get("/graphql/schema").body(Body::empty()).unwrap();
    assert_eq!(closed.send(schema()).await.0, StatusCode::NOT_FOUND);
    assert!(api.send(schema()).await.1.as_str().unwrap().contains("type Query"));
}
