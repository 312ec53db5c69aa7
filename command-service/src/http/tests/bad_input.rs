//! Bad input: a clear refusal that names the place, and nothing done.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use event_log::memory::Fault;
use event_log::{Log, MemoryOptions};
use serde_json::json;

use super::{Got, TASK, post, request, send, start, started, task};
use crate::http::{EdgeConfig, Queues, with_layers};
use crate::service::{Service, ServiceOptions};

/// A problem of this code, complete, with the pointer if one is expected.
fn assert_problem(name: &str, got: &Got, status: u16, code: &str, pointer: Option<&str>) {
    assert_eq!(got.status.as_u16(), status, "{name}: {}", got.text);
    assert_eq!(got.header("content-type"), "application/problem+json", "{name}");
    let problem = got.json();
    assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)), "{name}: {problem}");
    assert_eq!(problem["type"], format!("https://gesta.dev/errors#{code}"), "{name}");
    assert_eq!(problem["instance"], got.header("x-request-id"), "{name}");
    for member in ["title", "detail", "advice"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{name}: no {member}");
    }
    if let Some(pointer) = pointer {
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{name}: {problem}");
        assert!(!problem["errors"][0]["message"].as_str().unwrap().is_empty(), "{name}");
    }
}

/// What it is, body, status, code, pointer.
type BadBody = (&'static str, &'static [u8], u16, &'static str, Option<&'static str>);

const BAD_BODIES: [BadBody; 19] = [
    ("not JSON", b"{", 400, "invalid_json", Some("")),
    ("trailing data", b"{} {}", 400, "invalid_json", None),
    ("not an object", b"[]", 422, "schema_violation", Some("")),
    ("nothing", b"", 422, "schema_violation", Some("/type")),
    ("unknown key", br#"{"type":"t","title":"t","col/our":1}"#, 422, "schema_violation", Some("/col~1our")),
    ("duplicate key", br#"{"type":"t","title":"t","type":"u"}"#, 400, "duplicate_key", Some("/type")),
    (
        "inner duplicate",
        br#"{"type":"t","payload":{"a":[{"b":1,"b":2}]}}"#,
        400,
        "duplicate_key",
        Some("/payload/a/0/b"),
    ),
    ("invalid UTF-8", b"{\"type\":\"\xff\",\"title\":\"t\"}", 400, "invalid_json", None),
    ("lone surrogate", br#"{"type":"\ud800","title":"t"}"#, 400, "invalid_json", None),
    ("U+0000", br#"{"type":"t","title":"a\u0000b"}"#, 400, "invalid_json", None),
    ("NaN", br#"{"type":"t","title":"t","payload":{"n":NaN}}"#, 400, "invalid_json", None),
    ("1e999", br#"{"type":"t","title":"t","payload":{"n":1e999}}"#, 400, "invalid_json", None),
    (
        "out of range",
        br#"{"type":"t","title":"t","policy":{"maxAttempts":101}}"#,
        422,
        "schema_violation",
        Some("/policy/maxAttempts"),
    ),
    (
        "below range",
        br#"{"type":"t","title":"t","policy":{"leaseMs":-1}}"#,
        422,
        "schema_violation",
        Some("/policy/leaseMs"),
    ),
    (
        "no integer",
        br#"{"type":"t","title":"t","policy":{"leaseMs":1000.5}}"#,
        422,
        "schema_violation",
        Some("/policy/leaseMs"),
    ),
    (
        "unknown word",
        br#"{"type":"t","title":"t","priority":"asap"}"#,
        422,
        "schema_violation",
        Some("/priority"),
    ),
    (
        "foreign id",
        br#"{"type":"t","title":"t","parentId":"0b6e5a8e-6c0b-4c1e-9a53-0d3e8c1f7a44"}"#,
        422,
        "schema_violation",
        Some("/parentId"),
    ),
    (
        "no instant",
        br#"{"type":"t","title":"t","runAt":"tomorrow"}"#,
        422,
        "schema_violation",
        Some("/runAt"),
    ),
    ("bad queue name", br#"{"type":"t","title":"t","queue":"a/b"}"#, 422, "schema_violation", Some("/queue")),
];

#[tokio::test]
async fn bad_bodies_are_refused_at_their_place() {
    let router = started().await;
    for (name, body, status, code, pointer) in BAD_BODIES {
        let got = post(&router, "/api/v1/tasks", &[], body).await;
        assert_problem(name, &got, status, code, pointer);
    }
}

#[tokio::test]
async fn bad_bodies_of_great_size_are_refused_in_few_words() {
    let router = started().await;
    let bomb =
        format!(r#"{{"type":"t","title":"t","payload":{{"a":{}1{}}}}}"#, "[".repeat(70), "]".repeat(70));
    let number = format!(r#"{{"type":"t","title":"t","payload":{{"n":{}}}}}"#, "9".repeat(100_000));
    let long = format!(r#"{{"type":"{}","title":"t"}}"#, "x".repeat(100_000));
    let many: Vec<String> = (0..5_000).map(|n| format!("\"f{n}\":0")).collect();
    let many = format!(r#"{{"type":"t","title":"t",{}}}"#, many.join(","));
    for (name, body, status, code) in [
        ("depth bomb", bomb, 400, "too_deep"),
        ("100,000 digits", number, 400, "invalid_json"),
        ("100,000 characters", long, 422, "schema_violation"),
        ("5,000 unknown keys", many, 422, "schema_violation"),
    ] {
        let got = post(&router, "/api/v1/tasks", &[], body).await;
        assert_problem(name, &got, status, code, None);
        assert!(got.text.len() < 4_096, "{name}: {} bytes", got.text.len());
        assert!(got.json()["errors"].as_array().is_none_or(|errors| errors.len() <= 20), "{name}");
    }
}

/// No shard to ask, or no answer in time: the key that resolves it stands in the problem.
#[tokio::test]
async fn what_cannot_be_answered_now_says_how_to_go_on() {
    let (log, faults) = Log::memory_with_faults(MemoryOptions::default());
    let service = Service::start(&log, &ServiceOptions::default()).unwrap();
    service.ready().await;
    let config = EdgeConfig { trusts_headers: true, ..EdgeConfig::default() };
    let router = with_layers(crate::http::router(service.clone(), config));
    for _ in 0..1_000 {
        faults.next_append(Fault::Lose);
    }
    let waited =
        post(&router, "/api/v1/tasks", &[("idempotency-key", "k"), ("prefer", "wait=1")], TASK).await;
    assert_problem("no proof", &waited, 504, "outcome_unknown", None);
    assert_eq!((&waited.json()["key"], &waited.json()["retryable"]), (&json!("k"), &json!(true)));
    assert_eq!(waited.header("preference-applied"), "wait=1");
    service.shutdown().await;
    let gone = post(&router, "/api/v1/tasks", &[("idempotency-key", "l")], TASK).await;
    assert_problem("shut down", &gone, 503, "not_ready", None);
    assert_eq!((gone.header("retry-after"), &gone.json()["key"]), ("1", &json!("l")));
}

#[tokio::test]
async fn bodies_are_bounded_and_typed() {
    let router = started().await;
    let whole = |length: usize| {
        let frame = r#"{"type":"t","title":"t","payload":{"a":""}}"#.len();
        format!(r#"{{"type":"t","title":"t","payload":{{"a":"{}"}}}}"#, "x".repeat(length - frame))
    };
    assert_eq!(post(&router, "/api/v1/tasks", &[], whole(256 * 1024)).await.status, StatusCode::CREATED);
    assert_problem(
        "one more byte",
        &post(&router, "/api/v1/tasks", &[], whole(256 * 1024 + 1)).await,
        413,
        "body_too_large",
        None,
    );
    let chunks = futures_util::stream::iter((0..300).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024])));
    let endless = post(&router, "/api/v1/tasks", &[], Body::from_stream(chunks)).await;
    assert_problem("no length said", &endless, 413, "body_too_large", None);
    assert_eq!(endless.header("connection"), "close");
    let announced = post(&router, "/api/v1/tasks", &[("content-length", "99999999999")], "{}").await;
    assert_problem("announced", &announced, 413, "body_too_large", None);
    for media in [
        "text/plain",
        "application/x-ndjson",
        "application/json; charset=latin1",
        "application/x-www-form-urlencoded",
    ] {
        let sent =
            Request::post("/api/v1/tasks").header("content-type", media).body(Body::from(TASK)).unwrap();
        assert_problem(media, &send(&router, sent).await, 415, "unsupported_media_type", None);
    }
    let untyped = Request::post("/api/v1/tasks").body(Body::from(TASK)).unwrap();
    assert_problem("no type", &send(&router, untyped).await, 415, "unsupported_media_type", None);
    let packed = post(&router, "/api/v1/tasks", &[("content-encoding", "gzip")], TASK).await;
    assert_problem("gzip", &packed, 415, "unsupported_media_type", None);
    let spelled =
        Request::post("/api/v1/tasks").header("content-type", "Application/JSON; Charset=\"UTF-8\"");
    assert_eq!(send(&router, spelled.body(Body::from(TASK)).unwrap()).await.status, StatusCode::CREATED);
}

/// Headers, status, code, what the detail names.
type BadHeaders<'a> = (&'a [(&'a str, &'a str)], u16, &'a str, &'a str);

#[tokio::test]
async fn bad_headers_and_parameters_are_named() {
    let router = started().await;
    let long = "x".repeat(129);
    let rows: [BadHeaders<'_>; 16] = [
        (&[("idempotency-key", &long)], 400, "invalid_header", "idempotency-key"),
        (&[("idempotency-key", "a b")], 400, "invalid_header", "idempotency-key"),
        (&[("idempotency-key", "")], 400, "invalid_header", "idempotency-key"),
        (&[("idempotency-key", "a"), ("idempotency-key", "b")], 400, "invalid_header", "idempotency-key"),
        (&[("idempotency-key", "\u{e9}")], 400, "invalid_header", "idempotency-key"),
        (&[("x-correlation-id", &long)], 400, "invalid_header", "x-correlation-id"),
        (&[("x-causation-id", "a\tb")], 400, "invalid_header", "x-causation-id"),
        (&[("x-request-id", &long)], 400, "invalid_header", "x-request-id"),
        (&[("prefer", "wait=soon")], 400, "invalid_header", "Prefer"),
        (&[("if-match", "\"1\"")], 400, "invalid_header", "If-Match"),
        (&[("if-none-match", "\"1\"")], 400, "invalid_header", "If-None-Match"),
        (&[("x-gesta-tenant", "Acme")], 400, "invalid_header", "tenant"),
        (&[("x-gesta-tenant", "a"), ("x-gesta-tenant", "b")], 400, "invalid_header", "x-gesta-tenant"),
        (&[("x-gesta-actor", "alice")], 400, "invalid_header", "actor"),
        (&[("x-gesta-actor", "root/alice")], 400, "invalid_header", "actor"),
        (&[("accept", "text/html, image/png")], 406, "not_acceptable", "Accept"),
    ];
    for (headers, status, code, named) in rows {
        let got = post(&router, "/api/v1/tasks", headers, TASK).await;
        assert_problem(&format!("{headers:?}"), &got, status, code, None);
        assert!(got.json()["detail"].as_str().unwrap().contains(named), "{headers:?}: {}", got.text);
    }
    for query in ["dryRun=maybe", "dryrun=true", "x=1", "dryRun=true&dryRun=false"] {
        let got = post(&router, &format!("/api/v1/tasks?{query}"), &[], TASK).await;
        assert_problem(query, &got, 400, "invalid_parameter", None);
    }
    let path = format!("/api/v1/tasks/{}/cancel", task(&router, TASK).await);
    for etag in ["W/\"1\"", "1", "*", "\"one\"", "\"1\", \"2\""] {
        assert_problem(
            etag,
            &post(&router, &path, &[("if-match", etag)], "{}").await,
            400,
            "invalid_header",
            None,
        );
    }
}

#[tokio::test]
async fn unknown_addresses_methods_and_ids_are_told_apart() {
    let router = started().await;
    let id = task(&router, TASK).await;
    let rows = [
        (Method::GET, "/".to_owned(), 404, "unknown_route"),
        (Method::POST, "/api/v1/jobs".into(), 404, "unknown_route"),
        (Method::POST, format!("/api/v1/tasks/{id}/explode"), 404, "unknown_route"),
        (Method::POST, format!("/api/v1/tasks/{id}/expire-lease"), 404, "unknown_route"),
        (Method::GET, "/api/v1/tasks".into(), 405, "method_not_allowed"),
        (Method::PATCH, format!("/api/v1/tasks/{id}"), 405, "method_not_allowed"),
        (Method::from_bytes(b"BREW").unwrap(), "/api/v1/tasks".into(), 405, "method_not_allowed"),
        (Method::POST, "/api/v1/tasks/abc/cancel".into(), 404, "invalid_id"),
        (Method::POST, format!("/api/v1/tasks/{}/cancel", id.to_uppercase()), 404, "invalid_id"),
        (Method::POST, "/api/v1/tasks/0b6e5a8e-6c0b-4c1e-9a53-0d3e8c1f7a44/cancel".into(), 404, "invalid_id"),
        (Method::POST, "/api/v1/tasks/..%2F..%2Fagents/cancel".into(), 404, "invalid_id"),
        (Method::POST, "/api/v1/tasks/%ff/cancel".into(), 404, "invalid_id"),
        (Method::POST, "/api/v1/tasks/8e88a6c9-40b0-87c7-a154-418b24b15ccd/cancel".into(), 404, "not_found"),
        (Method::POST, format!("/api/v1/agents/{id}/kill"), 404, "not_found"),
    ];
    for (method, path, status, code) in rows {
        let got = send(&router, request(method, &path, &[], "{}")).await;
        assert_problem(&path, &got, status, code, None);
        assert_eq!(
            got.header("allow").contains("POST") || got.header("allow").contains("PUT"),
            status == 405,
            "{path}"
        );
    }
}

/// PLAT-6: another version than the expected one is refused, with the current one.
#[tokio::test]
async fn a_wrong_version_is_refused_with_the_right_one() {
    let router = started().await;
    let path = format!("/api/v1/tasks/{}/update", task(&router, TASK).await);
    let in_header = post(&router, &path, &[("if-match", "\"9\"")], "{}").await;
    assert_problem("If-Match", &in_header, 412, "precondition_failed", None);
    let in_body = post(&router, &path, &[], r#"{"expectedVersion":9}"#).await;
    assert_problem("expectedVersion", &in_body, 409, "version_conflict", None);
    for got in [in_header, in_body] {
        assert_eq!((&got.json()["expectedVersion"], &got.json()["actualVersion"]), (&json!(9), &json!(2)));
    }
    let both = post(&router, &path, &[("if-match", "\"2\"")], r#"{"expectedVersion":2}"#).await;
    assert_problem("both", &both, 400, "invalid_header", Some("/expectedVersion"));
    let negative = post(&router, &path, &[], r#"{"expectedVersion":-1}"#).await;
    assert_problem("negative", &negative, 422, "schema_violation", Some("/expectedVersion"));
    let right = post(&router, &path, &[("if-match", "\"2\"")], r#"{"title":"two"}"#).await;
    assert_eq!((right.status, right.header("etag")), (StatusCode::OK, "\"3\""));
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let router = started().await;
    let path = format!("/api/v1/tasks/{}/update", task(&router, TASK).await);
    let key = [("idempotency-key", "k")];
    assert_eq!(post(&router, &path, &key, r#"{"title":"a"}"#).await.status, StatusCode::OK);
    let other = post(&router, &path, &key, r#"{"title":"b"}"#).await;
    assert_problem("another body", &other, 422, "idempotency_key_reused", None);
    assert_eq!(other.json()["key"], "k");
    let (path, key) = (path.replace("update", "cancel"), [("idempotency-key", "l")]);
    assert_eq!(post(&router, &path, &key, r#"{"reason":"x"}"#).await.status, StatusCode::OK);
    let verb = post(&router, &path.replace("cancel", "redrive"), &key, r#"{"reason":"x"}"#).await;
    assert_problem("another command with the same body", &verb, 422, "idempotency_key_reused", None);
}

#[tokio::test]
async fn an_unknown_queue_is_named_with_the_known_ones() {
    let queues: Queues =
        serde_json::from_value(json!({ "open": false, "named": { "inventory": {} } })).unwrap();
    let router = start(EdgeConfig { queues, trusts_headers: true }).await;
    let got = post(&router, "/api/v1/tasks", &[], TASK).await;
    assert_problem("creation", &got, 422, "unknown_queue", Some("/queue"));
    assert!(got.json()["detail"].as_str().unwrap().contains("default, inventory"), "{}", got.text);
    let claim =
        post(&router, "/api/v1/tasks/claim", &[], r#"{"worker":"w","queues":["inventory","q"]}"#).await;
    assert_problem("claim", &claim, 422, "unknown_queue", Some("/queues/1"));
    assert_eq!(
        post(&router, "/api/v1/tasks", &[], r#"{"type":"t","title":"t"}"#).await.status,
        StatusCode::CREATED
    );
}

/// PLAT-44: who cannot be told apart is no one.
#[tokio::test]
async fn without_trust_in_headers_every_command_is_refused() {
    let router = start(EdgeConfig::default()).await;
    for headers in [&[][..], &[("x-gesta-tenant", "acme")]] {
        let got = post(&router, "/api/v1/tasks", headers, TASK).await;
        assert_problem("untrusted", &got, 403, "tenant_forbidden", None);
    }
}

/// PLAT-44: a web page whose name points here, or a proxy, does not speak for those on this machine.
#[tokio::test]
async fn a_foreign_host_name_is_not_trusted() {
    let router = started().await;
    for host in ["evil.example", "evil.example:7070", "localhost.evil.example", "10.0.0.1:7070"] {
        assert_problem(
            host,
            &post(&router, "/api/v1/tasks", &[("host", host)], TASK).await,
            403,
            "tenant_forbidden",
            None,
        );
    }
    for host in
        ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "127.1.2.3", "[::1]:7070", "gesta.localhost"]
    {
        let got = post(&router, "/api/v1/tasks", &[("host", host)], TASK).await;
        assert_eq!(got.status, StatusCode::CREATED, "{host}: {}", got.text);
    }
}

#[tokio::test]
async fn a_panic_is_a_problem() {
    let panics =
        Router::new().route("/panic", axum::routing::get(|| async { panic!("boom {}", 1 + 1) as String }));
    let router = crate::http::with_layers(panics);
    let got = send(&router, request(Method::GET, "/panic", &[], "")).await;
    assert_problem("panic", &got, 500, "internal", None);
    assert!(!got.text.contains("boom"), "the text of a panic stays inside");
}
