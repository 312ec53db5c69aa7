//! A database of its own for one test.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// Creates an empty database and gives its URL; the server's folder is thrown away with all of them.
pub(crate) async fn empty() -> String {
    let server = std::env::var("GESTA_POSTGRES_URL")
        .expect("GESTA_POSTGRES_URL names no Postgres; run the tests with `make test`, or start one: infra/local/postgres.sh start");
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut conn = PgConnection::connect(&server).await.expect("the Postgres of GESTA_POSTGRES_URL answers");
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let (front, parameters) = server.split_once('?').map_or((server.as_str(), None), |(f, p)| (f, Some(p)));
    let (host, _) = front.rsplit_once('/').expect("the URL ends with a database");
    parameters.map_or(format!("{host}/{name}"), |p| format!("{host}/{name}?{p}"))
}

/// The same, migrated.
pub(crate) async fn migrated() -> String {
    let url = empty().await;
    migrations::migrate(&url).await.unwrap();
    url
}
