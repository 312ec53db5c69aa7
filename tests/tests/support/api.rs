//! A client of the running system: commands over HTTP, queries over GraphQL, nothing else.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use schemas::position::Token;
use serde_json::{Value, json};

use super::eventually::eventually;

/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// An HTTP client; the process's cryptography is chosen once, although no test speaks TLS.
pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build().expect("a client without special wishes")
}

/// One tenant's view of one running system.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    /// `http://host:port` of commands and queries.
    pub(crate) base: String,
    /// `http://host:port` of health, metrics and events.
    pub(crate) ops: String,
    pub(crate) tenant: String,
}

impl Api {
    /// A tenant of its own, so that tests that share a system never meet.
    pub(crate) fn new(listen: SocketAddr, ops: SocketAddr) -> Self {
        static TENANTS: AtomicU64 = AtomicU64::new(0);
        let tenant = format!("t-{}-{}", std::process::id(), TENANTS.fetch_add(1, Ordering::Relaxed));
        Self { http: http(), base: format!("http://{listen}"), ops: format!("http://{ops}"), tenant }
    }

    /// The same system, another tenant.
    pub(crate) fn as_tenant(&self, tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), ..self.clone() }
    }

    /// A request below `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &str) -> Call {
        let request = self.http.request(method, format!("{}/api/v1/{path}", self.base));
        Call(request.header("x-gesta-tenant", &self.tenant))
    }

    /// A command with a JSON body.
    pub(crate) fn command(&self, path: &str, body: &Value) -> Call {
        Call(self.request(Method::POST, path).0.json(body))
    }

    /// Sends a command that must succeed.
    pub(crate) async fn done(&self, path: &str, body: Value) -> Answer {
        self.command(path, &body).send().await.accepted()
    }

    /// Sends a command that must be refused with `status` and `code`.
    pub(crate) async fn refused(&self, path: &str, body: Value, status: u16, code: &str) -> Answer {
        self.command(path, &body).send().await.is(status, code)
    }

    /// The whole answer to a GraphQL request; `after` is the token that it waits for.
    pub(crate) async fn ask(&self, after: Option<&str>, query: &str, variables: Value) -> Answer {
        let url = format!("{}/graphql", self.base);
        let mut request = self.http.post(url).header("x-gesta-tenant", &self.tenant);
        if let Some(after) = after {
            request = request.header("gesta-after", after);
        }
        Call(request.json(&json!({ "query": query, "variables": variables }))).send().await
    }

    /// The data of a query that must succeed and include `after`.
    pub(crate) async fn query(&self, after: &str, query: &str, variables: Value) -> Value {
        let look = async || self.ask(Some(after), query, variables.clone()).await;
        let reached = |answer: &Answer| answer.body["errors"][0]["extensions"]["code"] != "token_not_reached";
        let mut answer = eventually("an answer that includes its token", look, reached).await;
        let whole = answer.body["errors"].is_null() && answer.body["data"].is_object();
        assert!(whole, "{query}: {answer:#?}");
        answer.body["data"].take()
    }

    /// A document of the second port, with its status.
    pub(crate) async fn ops(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.ops)).send().await;
        match answer {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        }
    }

    /// Every event of this tenant, from the log's owner.
    pub(crate) async fn events(&self) -> Vec<tests::published::Published> {
        let (status, text) = self.ops(&format!("/events?tenant={}", self.tenant)).await;
        assert_eq!(status, 200, "{text}");
        tests::published::read(&text).expect("NDJSON of CloudEvents")
    }
}

/// A request that is being put together.
pub(crate) struct Call(pub(crate) RequestBuilder);

impl Call {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.body(body))
    }

    /// Sends; a connection that breaks is a test that fails.
    pub(crate) async fn send(self) -> Answer {
        self.try_send().await.expect("an answer over HTTP")
    }

    /// Sends; for tests in which the service may be gone.
    pub(crate) async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let answer = self.0.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body })
    }
}

/// Status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn accepted(self) -> Self {
        assert!(self.status == 200 || self.status == 201, "{self:#?}");
        self
    }

    /// Asserts a problem; its form is that of RFC 9457 whatever the code.
    pub(crate) fn is(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:#?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:#?}");
        assert_eq!(self.body["status"], status, "{self:#?}");
        for field in ["type", "title", "detail", "advice"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {self:#?}");
        }
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn id(&self) -> String {
        self.text("/aggregateId")
    }

    pub(crate) fn version(&self) -> u64 {
        self.body["version"].as_u64().expect("a version")
    }

    /// The consistency token.
    pub(crate) fn position(&self) -> String {
        self.text("/position")
    }

    /// The verbs of the events, for example `created queued`.
    pub(crate) fn verbs(&self) -> String {
        let kinds = self.body["events"].as_array().expect("events").iter().map(|event| &event["type"]);
        let verb =
            |kind: &Value| kind.as_str().and_then(|kind| kind.rsplit('.').nth(1)).unwrap_or("?").to_owned();
        kinds.map(verb).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn text(&self, pointer: &str) -> String {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no text at {pointer}: {self:#?}")).to_owned()
    }
}

/// One token that includes what all of these do: an answer's own names only its shard.
pub(crate) fn joined(positions: &[String]) -> String {
    let mut all = Token::default();
    for position in positions {
        let token: Token = position.parse().expect("a token");
        all.generation = token.generation;
        token.marks.iter().for_each(|(shard, offset)| all.raise(*shard, *offset));
    }
    all.to_string()
}
