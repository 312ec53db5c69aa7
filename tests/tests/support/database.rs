//! A database of its own for each test, on the server that `GESTA_POSTGRES_URL` names.

use sqlx::{Connection, Executor, PgConnection};

/// A fresh database; dropping it leaves it to the server's owner, who removes the whole server.
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Database {
    /// Creates one. Without a server the test fails and says how to start one.
    pub(crate) async fn create() -> Self {
        let server = std::env::var("GESTA_POSTGRES_URL")
            .expect("GESTA_POSTGRES_URL names no Postgres server; `make test` starts one and sets it");
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server).await.expect("the test server answers");
        connection
            .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .expect("the test server creates a database");
        Self { url: with_database(&server, &name) }
    }
}

/// The same server and settings, another database.
fn with_database(server: &str, name: &str) -> String {
    let (address, settings) = server.split_once('?').map_or((server, None), |(a, s)| (a, Some(s)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let base = address[authority..].find('/').map_or(address, |at| &address[..authority + at]);
    settings.map_or_else(|| format!("{base}/{name}"), |settings| format!("{base}/{name}?{settings}"))
}

#[test]
fn the_database_is_replaced_and_the_settings_stay() {
    assert_eq!(with_database("postgres://u@h:1/postgres?host=/s", "x"), "postgres://u@h:1/x?host=/s");
    assert_eq!(with_database("postgres://u@h:1", "x"), "postgres://u@h:1/x");
}
