//! HTTP and GraphQL as a client of Gesta: what the worker and the command line share.

mod problem;

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use problem::CallError;
use schemas::answer::Problem;
use schemas::problem::Code;

/// First and longest wait between two tries of one call.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Longest wait that a service may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for one answer, apart from what a long poll asked for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Most characters of a foreign answer that an error repeats.
const FOREIGN_CHARS: usize = 200;

/// Where Gesta is, who calls, and how long a call is tried.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Address of the service, for example `http://127.0.0.1:7070`.
    pub(crate) url: String,
    /// Address of the queries, if it is another one.
    pub(crate) query_url: Option<String>,
    /// Tenant of every call.
    pub(crate) tenant: String,
    /// Who acts, `kind/id`.
    pub(crate) actor: String,
    /// How long a call that finds no answer is tried again.
    pub(crate) patience: Duration,
}

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    queries: Arc<str>,
    patience: Duration,
}

/// The answer to a command.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The body.
    pub(crate) body: Value,
}

impl Client {
    /// A client; no connection is made yet.
    ///
    /// # Errors
    /// [`CallError::Options`] names the flag that cannot be used.
    pub(crate) fn new(connection: &Connection) -> Result<Self, CallError> {
        let option =
            |field, value: &str, problem: String| CallError::Options { field, value: value.into(), problem };
        let query_url = connection.query_url.as_ref().unwrap_or(&connection.url);
        for (field, text) in [("--url", &connection.url), ("--query-url", query_url)] {
            let url = reqwest::Url::parse(text).map_err(|error| option(field, text, error.to_string()))?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(option(field, text, "it must begin with http:// or https://".into()));
            }
        }
        let mut headers = HeaderMap::new();
        for (name, field, value) in [
            ("x-gesta-tenant", "--tenant", &connection.tenant),
            ("x-gesta-actor", "--actor", &connection.actor),
        ] {
            let content =
                HeaderValue::from_str(value).map_err(|error| option(field, value, error.to_string()))?;
            headers.insert(HeaderName::from_static(name), content);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("gesta/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| option("--url", &connection.url, error.to_string()))?;
        let base = connection.url.trim_end_matches('/').into();
        let queries = query_url.trim_end_matches('/').into();
        Ok(Self { http, base, queries, patience: connection.patience })
    }

    /// The same client with another patience.
    #[must_use]
    pub(crate) fn with_patience(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The service's address, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a command until it is answered: every try carries the same key, so that it takes
    /// effect once however often the answer is lost.
    ///
    /// # Errors
    /// [`CallError`]; a retryable one only after the whole patience was spent.
    pub(crate) async fn command<B: Serialize + Sync>(
        &self,
        path: &str,
        key: &str,
        body: &B,
    ) -> Result<Reply, CallError> {
        self.command_within(path, key, body, &[], Duration::ZERO).await
    }

    /// The same, with further headers and for a call that the service may answer `wait` later.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub(crate) async fn command_within<B: Serialize + Sync>(
        &self,
        path: &str,
        key: &str,
        body: &B,
        headers: &[(&'static str, String)],
        wait: Duration,
    ) -> Result<Reply, CallError> {
        let url = format!("{}/api/v1/{path}", self.base);
        let attempt = || {
            let mut request = self.http.post(&url).header("idempotency-key", key).json(body);
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            send(&url, request.timeout(ANSWER_TIMEOUT + wait))
        };
        attempt
            .retry(self.backoff())
            .when(CallError::retryable)
            .adjust(|error, wait| wait.map(|wait| wait.max(error.retry_after().unwrap_or_default())))
            .notify(|error, wait| tracing::debug!(%error, ?wait, path, "the call is tried again"))
            .await
    }

    /// Asks a GraphQL query; a service that cannot answer is asked again.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Query`] when the answer has errors.
    pub(crate) async fn query(&self, document: &str, variables: Value) -> Result<Value, CallError> {
        let url = format!("{}/graphql", self.queries);
        let body = json!({ "query": document, "variables": variables });
        let attempt = || {
            let request = self.http.post(&url).header("accept", "application/json").json(&body);
            async { data(send(&url, request.timeout(ANSWER_TIMEOUT)).await?.body) }
        };
        attempt.retry(self.backoff()).when(CallError::retryable).await
    }

    /// Opens a stream of lines at an absolute address; it ends when the server ends it.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) async fn stream(
        &self,
        url: &str,
        query: &[(&str, String)],
    ) -> Result<reqwest::Response, CallError> {
        let response =
            self.http.get(url).query(query).send().await.map_err(|error| unreachable(url, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(read(url, response).await.err().unwrap_or_else(|| CallError::Query("no stream".into())))
    }

    fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(RETRY_WAIT.0)
            .with_max_delay(RETRY_WAIT.1)
            .with_jitter()
            .without_max_times()
            .with_total_delay(Some(self.patience))
    }
}

async fn send(url: &str, request: reqwest::RequestBuilder) -> Result<Reply, CallError> {
    read(url, request.send().await.map_err(|error| unreachable(url, &error))?).await
}

async fn read(url: &str, response: reqwest::Response) -> Result<Reply, CallError> {
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let retry_after = header(RETRY_AFTER)
        .and_then(|value| value.parse().ok())
        .map(Duration::from_secs)
        .map(|wait| wait.min(LONGEST_RETRY_AFTER));
    let octets = response.bytes().await.map_err(|error| unreachable(url, &error))?;
    let foreign = |problem: String| CallError::Foreign { url: url.into(), status, problem };
    let body: Value = serde_json::from_slice(&octets).map_err(|_| {
        foreign(format!(
            "{:?} is not JSON",
            String::from_utf8_lossy(&octets).chars().take(FOREIGN_CHARS).collect::<String>()
        ))
    })?;
    // A query answered with errors is a whole answer too, whatever its status.
    if (200..300).contains(&status)
        || body.get("data").is_some()
        || body.get("errors").is_some_and(|_| body.get("code").is_none())
    {
        return Ok(Reply { body });
    }
    let problem: Box<Problem> = serde_json::from_value(body).map_err(|error| foreign(error.to_string()))?;
    if matches!(status, 502..=504) {
        Err(CallError::Later { problem, retry_after })
    } else {
        Err(CallError::Refused(problem))
    }
}

/// The words of the innermost error say what happened; the outer ones only repeat the address.
fn unreachable(url: &str, error: &reqwest::Error) -> CallError {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let problem = if error.is_timeout() { "no answer in time".to_owned() } else { inner.to_string() };
    CallError::Unreachable { url: url.into(), problem }
}

fn data(body: Value) -> Result<Value, CallError> {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    if errors.is_empty() {
        return Ok(body["data"].clone());
    }
    let messages: Vec<_> = errors.iter().filter_map(|error| error["message"].as_str()).collect();
    let message = messages.join("; ");
    let passing = |error: &Value| {
        serde_json::from_value::<Code>(error["extensions"]["code"].clone()).is_ok_and(Code::retryable)
    };
    Err(if errors.iter().all(passing) { CallError::QueryLater(message) } else { CallError::Query(message) })
}
