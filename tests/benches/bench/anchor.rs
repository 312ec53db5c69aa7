//! The anchor: what a careful engineer writes with axum, sqlx and Postgres to do the same.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};
use sqlx::postgres::{PgPool, PgPoolOptions};

struct Anchor {
    pool: PgPool,
    schema: jsonschema::Validator,
}

/// Serves until killed; prints its address.
pub(crate) async fn serve(url: &str, pool: u32) {
    let pool = PgPoolOptions::new().max_connections(pool).connect(url).await.expect("Postgres answers");
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS anchor_events (stream text NOT NULL, version bigint NOT NULL, \
         command_id text NOT NULL, type text NOT NULL, data jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now(), \
         PRIMARY KEY (stream, version))",
    )
    .execute(&pool)
    .await
    .expect("the table is made");
    let command = schemas::registry::command_type("task.progress").expect("a registered command");
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let schema = (command.schema)(&mut generator);
    let mut root = json!({ "$defs": generator.take_definitions(true) });
    root.as_object_mut().expect("an object").extend(schema.as_object().cloned().unwrap_or_default());
    let schema = jsonschema::validator_for(&root).expect("the schema compiles");
    let router = axum::Router::new()
        .route("/api/v1/tasks/{id}/progress", post(progress))
        .with_state(Arc::new(Anchor { pool, schema }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    println!("{}", listener.local_addr().expect("a bound listener"));
    axum::serve(listener, router).await.expect("the anchor serves");
}

async fn progress(
    State(anchor): State<Arc<Anchor>>,
    Path(id): Path<String>,
    headers: axum::http::HeaderMap,
    body: axum::body::Bytes,
) -> (StatusCode, axum::Json<Value>) {
    let Ok(value) = serde_json::from_slice::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, axum::Json(json!({})));
    };
    if !anchor.schema.is_valid(&value) {
        return (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(json!({})));
    }
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    match append(&anchor.pool, &id, key, &value).await {
        Ok(version) => (StatusCode::OK, axum::Json(json!({ "aggregateId": id, "version": version }))),
        Err(_) => (StatusCode::CONFLICT, axum::Json(json!({}))),
    }
}

async fn append(pool: &PgPool, stream: &str, key: &str, data: &Value) -> Result<i64, sqlx::Error> {
    let version: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM anchor_events WHERE stream = $1")
        .bind(stream)
        .fetch_one(pool)
        .await?;
    let version = version.unwrap_or(0) + 1;
    sqlx::query(
        "INSERT INTO anchor_events (stream, version, command_id, type, data) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(stream)
    .bind(version)
    .bind(key)
    .bind("gesta.work.task.progressed.v1")
    .bind(data)
    .execute(pool)
    .await?;
    Ok(version)
}
