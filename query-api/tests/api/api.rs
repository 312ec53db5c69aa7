//! A migrated database of its own and the router over it.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use query_api::{QueryOptions, router};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tower::ServiceExt as _;
use uuid::Uuid;

/// The router and a pool that writes rows as a projector does.
pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) writer: PgPool,
}

/// URL of a new, migrated database; the server's folder is thrown away with all of them.
async fn database() -> String {
    let server = std::env::var("GESTA_POSTGRES_URL").expect(
        "GESTA_POSTGRES_URL names no Postgres; run the tests with `make test`, or start one: infra/local/postgres.sh start",
    );
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut connection =
        PgConnection::connect(&server).await.expect("the Postgres of GESTA_POSTGRES_URL answers");
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let (front, parameters) = server.split_once('?').map_or((server.as_str(), ""), |(f, p)| (f, p));
    let (host, _) = front.rsplit_once('/').expect("the URL ends with a database");
    let url =
        if parameters.is_empty() { format!("{host}/{name}") } else { format!("{host}/{name}?{parameters}") };
    migrations::migrate(&url).await.unwrap();
    url
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::with(QueryOptions::default()).await
    }

    pub(crate) async fn with(options: QueryOptions) -> Self {
        let url = database().await;
        let writer = migrations::projector_pool(&url, 2).unwrap();
        Self { router: router(migrations::query_pool(&url, 4).unwrap(), options), writer }
    }

    /// A router over a database that is not there.
    pub(crate) fn without_database() -> Self {
        let url = "postgres://gesta@127.0.0.1:9/nothing";
        let writer = migrations::projector_pool(url, 1).unwrap();
        Self { router: router(migrations::query_pool(url, 2).unwrap(), QueryOptions::default()), writer }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (
            status,
            serde_json::from_slice(&body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body))),
        )
    }

    /// The whole answer to a query of a tenant.
    pub(crate) async fn ask(&self, tenant: &str, query: &str, variables: Value) -> (StatusCode, Value) {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json")
            .header("x-gesta-tenant", tenant);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// The data of an answer without errors.
    pub(crate) async fn data(&self, tenant: &str, query: &str, variables: Value) -> Value {
        let (status, answer) = self.ask(tenant, query, variables).await;
        assert!(status == StatusCode::OK && answer["errors"].is_null(), "{query}\n{status} {answer}");
        answer["data"].clone()
    }

    /// The code of the first error.
    pub(crate) async fn code(&self, tenant: &str, query: &str, variables: Value) -> String {
        let (_, answer) = self.ask(tenant, query, variables).await;
        answer["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{query}: {answer}"))
            .to_owned()
    }

    /// Ends every connection of the query API, as a restart of Postgres does.
    pub(crate) async fn end_readers(&self) {
        let mut server = PgConnection::connect(&std::env::var("GESTA_POSTGRES_URL").unwrap()).await.unwrap();
        let database: String =
            sqlx::query_scalar("SELECT current_database()").fetch_one(&self.writer).await.unwrap();
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
             WHERE datname = $1 AND application_name = 'gesta query-api'",
        )
        .bind(database)
        .fetch_one(&mut server)
        .await
        .unwrap();
        assert!(ended > 0, "the query API has connections");
        server.close().await.unwrap();
    }

    /// Serves on a free port; the address.
    pub(crate) async fn serve(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}
