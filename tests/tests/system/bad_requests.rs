//! Connections that give nothing: slow ones are ended, idle ones keep nobody from being served.

use std::process::Command;
use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::api::Api;
use crate::support::eventually::PATIENCE;
use crate::support::shared::api;

/// Connections that do nothing.
const IDLE: usize = 10_000;
/// Open files that such a test needs besides.
const OTHER_FILES: usize = 1_000;

async fn connect(api: &Api) -> TcpStream {
    let address = api.base.trim_start_matches("http://");
    TcpStream::connect(address).await.expect("the service takes connections")
}

/// Whatever comes until the service ends the connection.
async fn until_closed(mut socket: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end too.
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut text)).await;
    let _ = read.expect("the service ends the connection by itself");
    String::from_utf8_lossy(&text).into_owned()
}

/// PLAT-20: a head that does not come to its end is not waited for; nobody else notices.
#[tokio::test]
async fn a_slow_head_is_ended_and_others_are_served() {
    let api = api().await;
    let mut slow = connect(&api).await;
    slow.write_all(b"POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let ended = tokio::spawn(until_closed(slow));
    while !ended.is_finished() {
        api.create("beside", json!({})).await;
    }
    let text = ended.await.unwrap();
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
}

/// PLAT-20: what is no HTTP is answered or ended, not waited for.
#[tokio::test]
async fn what_is_no_request_is_ended() {
    let api = api().await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(100_000));
    let two_lengths =
        "POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"
            .to_owned();
    for bytes in
        ["\x16\x03\x01\x02\x00\x01\x00\x01".to_owned(), "NONSENSE\r\n\r\n".to_owned(), long, two_lengths]
    {
        let mut socket = connect(&api).await;
        socket.write_all(bytes.as_bytes()).await.unwrap();
        let text = until_closed(socket).await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
}

/// PLAT-34, PLAT-35: ten thousand connections that do nothing leave commands and queries as they were.
#[tokio::test]
async fn idle_connections_keep_nobody_from_being_served() {
    let files = format!("--nofile={}:", IDLE + OTHER_FILES);
    let pid = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &pid, &files]).status();
    assert!(
        raised.is_ok_and(|status| status.success()),
        "prlimit (util-linux) lets a test open {IDLE} files"
    );
    let api = api().await;
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        idle.push(connect(&api).await);
    }
    let begun = Instant::now();
    for _ in 0..20 {
        let fresh = Api::as_tenant(&api, &api.tenant);
        let created = fresh.create("busy", json!({})).await;
        assert_eq!(api.task(&created.position(), &created.id(), "state").await["state"], "QUEUED");
    }
    eprintln!("20 commands and queries beside {IDLE} idle connections: {:?}", begun.elapsed());
    let (status, text) = api.ops("/readyz").await;
    assert_eq!(status, 200, "{text}");
    drop(idle);
}
