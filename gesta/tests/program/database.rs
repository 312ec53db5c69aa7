//! A database of its own for one test, and a way to it that can be cut.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A database that is dropped with this value.
pub(crate) struct Database {
    server: String,
    name: String,
}

/// The server that tests use. Without one nothing is proven, so they fail.
fn server() -> String {
    std::env::var("GESTA_POSTGRES_URL").expect("GESTA_POSTGRES_URL names no Postgres; `make test` starts one")
}

async fn run(server: &str, sql: String) {
    use sqlx::Connection as _;
    let mut connection =
        sqlx::PgConnection::connect(server).await.expect("the Postgres of GESTA_POSTGRES_URL answers");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("the statement is right");
}

impl Database {
    pub(crate) async fn new() -> Self {
        let (server, name) = (server(), format!("gesta_program_{}", uuid::Uuid::new_v4().simple()));
        run(&server, format!("CREATE DATABASE {name}")).await;
        Self { server, name }
    }

    /// Address of the database.
    pub(crate) fn url(&self) -> String {
        let mut url = reqwest::Url::parse(&self.server).unwrap();
        url.set_path(&self.name);
        url.to_string()
    }

    /// Address of the database through `gate`.
    pub(crate) fn url_through(&self, gate: &Gate) -> String {
        let mut url = reqwest::Url::parse(&self.url()).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(gate.port)).unwrap();
        url.to_string()
    }

    /// Host and port of the server.
    fn address(&self) -> String {
        let url = reqwest::Url::parse(&self.server).unwrap();
        format!("{}:{}", url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(5432))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, sql) =
            (self.server.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&server, sql));
        });
        dropped.join().ok();
    }
}

/// A way to Postgres that can be cut: connections through it break and new ones are refused.
pub(crate) struct Gate {
    pub(crate) port: u16,
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    pub(crate) async fn closed(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, target) = (listener.local_addr().unwrap().port(), database.address());
        let open = Arc::new(watch::Sender::new(false));
        let gate = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (mut open, target) = (gate.subscribe(), target.clone());
                tokio::spawn(async move {
                    if *open.borrow_and_update() {
                        tokio::select! {
                            _ = pass(near, &target) => {}
                            _ = open.changed() => {}
                        }
                    }
                });
            }
        });
        Self { port, open }
    }

    pub(crate) fn set(&self, open: bool) {
        self.open.send_replace(open);
    }
}

async fn pass(mut near: TcpStream, target: &str) -> std::io::Result<()> {
    let mut far = TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await.map(drop)
}
