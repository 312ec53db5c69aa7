//! Commands over connections that are kept open, with a client so light that the system gets the processor.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use uuid::Uuid;

/// One connection of one tenant.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    tenant: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, tenant: &str) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.expect("the server accepts");
        stream.set_nodelay(true).expect("a TCP socket");
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(driver);
        Self { sender, host: address.to_string(), tenant: tenant.to_owned() }
    }

    /// Sends a command that must succeed; where the outcome is not known in time, the same key asks again.
    pub(crate) async fn command(&mut self, path: &str, body: &Value) -> Value {
        let (key, body) = (Uuid::new_v4().to_string(), Bytes::from(body.to_string()));
        loop {
            let request = Request::post(format!("/api/v1/{path}"))
                .header("host", &self.host)
                .header("content-type", "application/json")
                .header("idempotency-key", &key)
                .header("x-gesta-tenant", &self.tenant)
                .body(Full::new(body.clone()))
                .expect("a well-formed request");
            self.sender.ready().await.expect("the connection lives");
            let response = self.sender.send_request(request).await.expect("an answer");
            let status = response.status();
            let answer = response.into_body().collect().await.expect("a whole answer").to_bytes();
            match status {
                StatusCode::OK | StatusCode::CREATED => {
                    return serde_json::from_slice(&answer).expect("JSON");
                }
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {}
                refused => panic!("{path}: {refused}: {}", String::from_utf8_lossy(&answer)),
            }
        }
    }
}

/// A task whose progress a connection reports.
pub(crate) struct Running {
    pub(crate) id: String,
    token: u64,
    pub(crate) progress: u8,
}

impl Running {
    /// Creates, leases and starts a task.
    pub(crate) async fn begin(connection: &mut Connection, queue: &str, lease_ms: u32) -> Self {
        let policy = json!({ "leaseMs": lease_ms });
        let create = json!({ "type": "bench", "title": "bench", "queue": queue, "policy": policy });
        let created = connection.command("tasks", &create).await;
        let id = created["aggregateId"].as_str().expect("an id").to_owned();
        let assigned = connection.command(&format!("tasks/{id}/assign"), &json!({ "worker": "bench" })).await;
        let token = assigned["task"]["fencingToken"].as_u64().expect("a token");
        connection.command(&format!("tasks/{id}/start"), &json!({ "fencingToken": token })).await;
        Self { id, token, progress: 0 }
    }

    /// Reports the next rise of progress.
    pub(crate) async fn rise(&mut self, connection: &mut Connection) -> Value {
        assert!(self.progress < 100, "the tasks are used up; lengthen the list or shorten the stretch");
        self.progress += 1;
        let body = json!({ "fencingToken": self.token, "progress": self.progress });
        connection.command(&format!("tasks/{}/progress", self.id), &body).await
    }
}

/// One connection and its tasks.
pub(crate) struct Share {
    pub(crate) connection: Connection,
    pub(crate) tasks: Vec<Running>,
}

/// Reports progress on every connection until `until`: at once after each answer, or at the pace of one
/// command per `every` on each. Gives the shares back, and the number of commands.
pub(crate) async fn run(shares: Vec<Share>, until: Instant, every: Option<Duration>) -> (Vec<Share>, usize) {
    let count = u32::try_from(shares.len()).expect("few connections");
    let one = |(n, mut share): (u32, Share)| {
        tokio::spawn(async move {
            // The connections take turns instead of sending at the same instant.
            let mut ticks = every.map(|every| interval_at(Instant::now() + every * n / count, every));
            if let Some(ticks) = &mut ticks {
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            }
            let mut sent = 0;
            while Instant::now() < until {
                if let Some(ticks) = &mut ticks {
                    ticks.tick().await;
                }
                let next = sent % share.tasks.len();
                share.tasks[next].rise(&mut share.connection).await;
                sent += 1;
            }
            (share, sent)
        })
    };
    let running: Vec<_> = (0..).zip(shares).map(one).collect();
    let (mut shares, mut sent) = (Vec::new(), 0);
    for task in running {
        let (share, its) = task.await.expect("a connection lives to its end");
        shares.push(share);
        sent += its;
    }
    (shares, sent)
}
