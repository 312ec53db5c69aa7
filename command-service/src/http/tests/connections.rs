//! Clients that are slow, idle, or many, on real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::started;
use crate::http::serve::{Limits, raise_open_files, serve};

/// No wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(20);

async fn listen(router: Router, limits: Limits) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving = tokio::spawn(serve(listener, router, limits, stop.clone()));
    (address, stop, serving)
}

/// Everything that the server says until it closes.
async fn until_closed(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read =
        timeout(PATIENCE, socket.read_to_end(&mut text)).await.expect("the server closes the connection");
    if let Err(error) = read {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8(text).unwrap()
}

/// One request that ends its connection.
async fn exchange(address: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!("{head}Host: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body).await.unwrap();
    until_closed(&mut socket).await
}

const CREATE: &str = "POST /api/v1/tasks HTTP/1.1\r\nContent-Type: application/json\r\n";

#[tokio::test]
async fn a_head_that_comes_slowly_is_cut_and_others_are_served() {
    let limits = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let (address, ..) = listen(started().await, limits).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST /api/v1/tasks HT").await.unwrap();
    let begun = Instant::now();
    assert!(exchange(address, CREATE, super::TASK.as_bytes()).await.starts_with("HTTP/1.1 201"));
    assert_eq!(until_closed(&mut slow).await, "", "no answer to half a head");
    assert!(begun.elapsed() < limits.idle, "cut as a slow head, not as an idle connection");
    // A drip does not prolong it.
    let mut drip = TcpStream::connect(address).await.unwrap();
    let dripping = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while drip.write_all(b"X").await.is_ok() {
            pace.tick().await;
        }
    };
    timeout(PATIENCE, dripping).await.expect("the drip is cut");
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_its_time_and_then_cut() {
    let limits =
        Limits { head: Duration::from_millis(50), idle: Duration::from_millis(600), ..Limits::default() };
    let (address, ..) = listen(started().await, limits).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        let mut pause = tokio::time::interval(limits.head * 3);
        pause.tick().await;
        pause.tick().await;
        socket.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut begin = [0; 15];
        timeout(PATIENCE, socket.read_exact(&mut begin)).await.unwrap().unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200 OK", "longer idle than a head may take");
        drain(&mut socket).await;
    }
    assert_eq!(until_closed(&mut silent).await, "");
    until_closed(&mut socket).await;
}

/// Reads the rest of one answer of known length.
async fn drain(socket: &mut TcpStream) {
    let mut text = Vec::new();
    loop {
        let length = text.windows(4).position(|window| window == b"\r\n\r\n").map(|head| {
            let head_text = String::from_utf8_lossy(&text[..head]).to_ascii_lowercase();
            let length =
                head_text.lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
            head + 4 + length.unwrap().parse::<usize>().unwrap()
        });
        if length.is_some_and(|length| text.len() >= length) {
            return;
        }
        let mut part = vec![0; 65_536];
        let read = timeout(PATIENCE, socket.read(&mut part)).await.unwrap().unwrap();
        assert_ne!(read, 0, "the answer broke off");
        text.extend_from_slice(&part[..read]);
    }
}

#[tokio::test]
async fn heads_are_bounded_and_smuggling_is_refused() {
    let (address, ..) = listen(started().await, Limits::default()).await;
    let many: String = (0..65).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(40 * 1024));
    for (name, head) in [
        ("65 headers", format!("GET /openapi.json HTTP/1.1\r\n{many}\r\n")),
        ("40 KiB of head", format!("GET /openapi.json HTTP/1.1\r\n{long}\r\n")),
        (
            "both lengths",
            "POST /api/v1/tasks HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello".into(),
        ),
        ("negative length", "POST /api/v1/tasks HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into()),
        ("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".into()),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let answer = until_closed(&mut socket).await;
        let refused = answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 431");
        assert!(refused, "{name}: {answer}");
    }
    assert!(exchange(address, CREATE, super::TASK.as_bytes()).await.starts_with("HTTP/1.1 201"));
}

#[tokio::test]
async fn a_client_that_takes_no_response_is_cut() {
    let limits = Limits { write_stall: Duration::from_millis(200), ..Limits::default() };
    let (streams, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let endless = async move || {
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        streams.send(dropped).unwrap();
        let chunks = futures_util::stream::repeat_with(move || {
            let _of_this_response = &held;
            Ok::<_, std::io::Error>(vec![b'x'; 65_536])
        });
        axum::body::Body::from_stream(chunks)
    };
    let (address, ..) = listen(Router::new().route("/endless", get(endless)), limits).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let response = timeout(PATIENCE, begun.recv()).await.unwrap().unwrap();
    timeout(PATIENCE, response).await.expect("the response is dropped").unwrap_err();
}

/// The fault: 10,000 idle connections, or as many as the process may open.
#[tokio::test]
async fn idle_connections_do_not_stop_real_traffic() {
    raise_open_files();
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // Both ends are in this process.
    let idle = usize::try_from(files.saturating_sub(1_000) / 2).unwrap().min(10_000);
    let (address, stop, serving) = listen(started().await, Limits::default()).await;
    let mut sockets = Vec::with_capacity(idle);
    for _ in 0..idle {
        sockets.push(TcpStream::connect(address).await.unwrap());
    }
    for _ in 0..20 {
        assert!(
            exchange(address, CREATE, super::TASK.as_bytes()).await.starts_with("HTTP/1.1 201"),
            "{idle} idle"
        );
    }
    stop.cancel();
    timeout(PATIENCE, serving).await.expect("idle connections do not hold up the end").unwrap();
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_place() {
    let limits = Limits { connections: 1, idle: Duration::from_millis(300), ..Limits::default() };
    let (address, ..) = listen(started().await, limits).await;
    let first = TcpStream::connect(address).await.unwrap();
    assert!(
        exchange(address, CREATE, super::TASK.as_bytes()).await.starts_with("HTTP/1.1 201"),
        "after the idle one was cut"
    );
    let ended = first.try_read(&mut [0]);
    assert!(matches!(ended, Ok(0)), "the idle one still has its place: {ended:?}");
}

/// One client's connections end where its share does; the others' go on.
#[tokio::test]
async fn a_client_with_too_many_connections_is_closed_and_others_are_served() {
    let limits = Limits { per_client: 2, ..Limits::default() };
    let (address, stop, _serving) = listen(started().await, limits).await;
    let kept = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_eq!(until_closed(&mut third).await, "", "closed without a word");
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(address).await.unwrap();
    other.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut other).await.starts_with("HTTP/1.1 200"), "another client");
    for socket in kept {
        let ended = socket.try_read(&mut [0]);
        assert!(matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{ended:?}");
    }
    stop.cancel();
}

#[tokio::test]
async fn the_stop_waits_for_requests_in_progress_but_not_for_ever() {
    let (entered, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let release = CancellationToken::new();
    let (held, never) = (release.clone(), entered.clone());
    let router = Router::new()
        .route(
            "/held",
            get(async move || {
                entered.send(()).unwrap();
                held.cancelled().await;
                "done"
            }),
        )
        .route(
            "/never",
            get(async move || {
                never.send(()).unwrap();
                std::future::pending::<()>().await;
            }),
        );
    let limits = Limits { drain: Duration::from_millis(500), ..Limits::default() };
    let (address, stop, serving) = listen(router, limits).await;
    let head = |path: &str| format!("GET {path} HTTP/1.1\r\n");
    let answer = tokio::spawn(async move { exchange(address, &head("/held"), b"").await });
    let cut = tokio::spawn(async move { exchange(address, "GET /never HTTP/1.1\r\n", b"").await });
    for _ in 0..2 {
        timeout(PATIENCE, seen.recv()).await.unwrap().unwrap();
    }
    stop.cancel();
    release.cancel();
    assert!(timeout(PATIENCE, answer).await.unwrap().unwrap().ends_with("done"));
    timeout(PATIENCE, serving).await.expect("the drain time ends it").unwrap();
    assert_eq!(timeout(PATIENCE, cut).await.unwrap().unwrap(), "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
