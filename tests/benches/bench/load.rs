//! The load: each connection sends the next rise of progress of one of its own tasks as soon as the last is answered.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::report::Figures;

/// Most headers of an answer.
const MAX_HEADERS: usize = 32;

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
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut request, mut response) = (String::new(), Vec::new());
    let mut times = Vec::new();
    let mut sent = 0_usize;
    while Instant::now() < until {
        let n = sent % share.len();
        let task = &mut share[n];
        assert!(task.progress < 100, "the tasks are used up; lengthen the list or shorten the stretch");
        task.progress += 1;
        report(&mut request, address, task);
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        answer(&mut stream, &mut response).await;
        times.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        sent += 1;
    }
    (share, times)
}

/// Writes the next rise of progress.
fn report(request: &mut String, address: SocketAddr, task: &Running) {
    let Running { path, token, progress } = task;
    let body = format!("{{\"fencingToken\":{token},\"progress\":{progress}}}");
    let key = format!("{}-{progress}", &path[path.len() - 20..]).replace('/', "-");
    request.clear();
    write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nidempotency-key: {key}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("a text can be written");
}

/// Reads one whole answer, which must be 200.
async fn answer(stream: &mut TcpStream, response: &mut Vec<u8>) {
    response.clear();
    loop {
        let read = stream.read_buf(response).await.expect("the server answers");
        assert!(read > 0, "the server closed the connection: {}", String::from_utf8_lossy(response));
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(response).expect("an HTTP answer") else {
            continue;
        };
        let body = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let body = std::str::from_utf8(body.expect("a Content-Length").value).expect("digits");
        if response.len() >= length + body.parse::<usize>().expect("a number") {
            assert!(head.code == Some(200), "{}", String::from_utf8_lossy(response));
            return;
        }
    }
}
