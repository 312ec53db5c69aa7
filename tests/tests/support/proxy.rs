//! A TCP proxy between two processes that a test can cut and mend.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Most bytes that a silent proxy has taken from one side; the rest waits with the sender.
const BUFFER_BYTES: usize = 64 * 1024;

/// What becomes of connections.
#[derive(Clone, Copy)]
struct State {
    line: Line,
    /// How often it was cut: a connection from before ends, also when the line is whole again by now.
    cuts: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Line {
    Whole,
    Mute,
    Silent,
    Cut,
}

/// A proxy. Cut, it ends every connection and accepts none; silent, it passes nothing on in either direction.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<watch::Sender<State>>,
}

impl Proxy {
    /// Begins to pass connections on to `target`, `host:port`.
    pub(crate) async fn start(target: String) -> Self {
        Self::at(Self::listener().await, target)
    }

    /// Where a proxy will be.
    pub(crate) async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port")
    }

    /// Begins to pass connections that come to `listener` on to `target`.
    pub(crate) fn at(listener: TcpListener, target: String) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(watch::Sender::new(State { line: Line::Whole, cuts: 0 }));
        tokio::spawn(serve(listener, target, Arc::clone(&state)));
        Self { address, state }
    }

    /// Ends all connections; new ones are closed at once.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| *state = State { line: Line::Cut, cuts: state.cuts + 1 });
    }

    /// Passes on what is asked, and holds back what is answered.
    pub(crate) fn mute(&self) {
        self.state.send_modify(|state| state.line = Line::Mute);
    }

    /// Passes nothing on, as a network that is cut: connections stay, and what was sent comes through once it is mended.
    pub(crate) fn silence(&self) {
        self.state.send_modify(|state| state.line = Line::Silent);
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| state.line = Line::Whole);
    }
}

async fn serve(listener: TcpListener, target: String, state: Arc<watch::Sender<State>>) {
    while let Ok((inward, _)) = listener.accept().await {
        let (target, state) = (target.clone(), state.subscribe());
        tokio::spawn(async move {
            let mut cut = state.clone();
            let born = cut.borrow().cuts;
            tokio::select! {
                _ = connect(inward, target, state) => {}
                _ = cut.wait_for(|state| state.line == Line::Cut || state.cuts > born) => {}
            }
        });
    }
}

async fn connect(inward: TcpStream, target: String, state: watch::Receiver<State>) -> std::io::Result<()> {
    let outward = TcpStream::connect(&target).await?;
    inward.set_nodelay(true)?;
    outward.set_nodelay(true)?;
    let ((from, to), (back_from, back_to)) = (inward.into_split(), outward.into_split());
    // One side that has said everything may still hear the other.
    tokio::try_join!(
        pass(from, back_to, state.clone(), &[Line::Whole, Line::Mute]),
        pass(back_from, to, state, &[Line::Whole])
    )?;
    Ok(())
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
    open: &[Line],
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        // An error means that the proxy is gone, and with it the test.
        let _ = state.wait_for(|state| open.contains(&state.line)).await;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// The URL of the same database by way of `proxy`, and the server's own `host:port`.
pub(crate) fn detour(url: &str) -> (String, impl Fn(SocketAddr) -> String + use<>) {
    let after_user = url.find('@').map_or_else(|| url.find("://").map_or(0, |at| at + 3), |at| at + 1);
    let length = url[after_user..].find('/').unwrap_or(url.len() - after_user);
    let (front, server, rest) =
        (&url[..after_user], &url[after_user..after_user + length], &url[after_user + length..]);
    let (front, rest) = (front.to_owned(), rest.to_owned());
    (server.to_owned(), move |proxy| format!("{front}{proxy}{rest}"))
}

#[test]
fn only_the_address_is_replaced() {
    let (server, through) = detour("postgres://u:p@h:1/db?x=y");
    assert_eq!(server, "h:1");
    assert_eq!(through(SocketAddr::from(([127, 0, 0, 1], 9))), "postgres://u:p@127.0.0.1:9/db?x=y");
}
