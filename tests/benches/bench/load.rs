//! The load: each connection sends the next rise of progress of one of its own tasks as soon as the last is answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;

use crate::report::Figures;

/// A task that a connection reports progress of.
pub(crate) struct Running {
    pub(crate) path: String,
    pub(crate) token: u32,
    /// Highest progress reported; at 100 the task is used up.
    pub(crate) progress: u8,
}

/// The tasks of one connection.
pub(crate) type Share = Vec<Running>;

/// Loads until the stretch is over.
pub(crate) async fn run(address: SocketAddr, mut shares: Vec<Share>, stretch: Duration) -> Figures {
    run_on(address, &mut shares, stretch).await
}

/// Loads until the stretch is over; the tasks keep their progress for the next stretch.
pub(crate) async fn run_on(address: SocketAddr, shares: &mut Vec<Share>, stretch: Duration) -> Figures {
    let begun = Instant::now();
    let until = begun + stretch;
    let connections: Vec<_> =
        shares.drain(..).map(|share| tokio::spawn(connection(address, share, until))).collect();
    let mut micros = Vec::new();
    for connection in connections {
        let (share, times) = connection.await.expect("a connection lives to its end");
        shares.push(share);
        micros.extend(times);
    }
    crate::figures(micros, begun.elapsed())
}

async fn connection(address: SocketAddr, mut share: Share, until: Instant) -> (Share, Vec<u32>) {
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(driver);
    let mut times = Vec::new();
    let mut sent = 0_usize;
    while Instant::now() < until {
        let n = sent % share.len();
        let task = &mut share[n];
        assert!(task.progress < 100, "the tasks are used up; lengthen the list or shorten the stretch");
        task.progress += 1;
        let begun = Instant::now();
        let response = sender.send_request(report(address, task)).await.expect("an answer");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
        assert!(status == StatusCode::OK, "{status}: {}", String::from_utf8_lossy(&body));
        times.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        sent += 1;
    }
    (share, times)
}

fn report(address: SocketAddr, task: &Running) -> Request<Full<Bytes>> {
    let body = format!("{{\"fencingToken\":{},\"progress\":{}}}", task.token, task.progress);
    let key = format!("{}-{}", &task.path[task.path.len() - 20..], task.progress).replace('/', "-");
    Request::post(task.path.as_str())
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Full::new(Bytes::from(body)))
        .expect("a well-formed request")
}
