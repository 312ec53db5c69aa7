//! A TCP proxy between the system and Postgres that a test can cut and mend.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A proxy; cut, it ends every connection and accepts none.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    whole: Arc<watch::Sender<bool>>,
}

impl Proxy {
    /// Begins to pass connections on to `target`, `host:port`.
    pub(crate) async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let whole = Arc::new(watch::Sender::new(true));
        tokio::spawn(serve(listener, target, Arc::clone(&whole)));
        Self { address, whole }
    }

    /// Ends all connections; new ones are closed at once.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn serve(listener: TcpListener, target: String, whole: Arc<watch::Sender<bool>>) {
    while let Ok((mut inward, _)) = listener.accept().await {
        let (target, mut state) = (target.clone(), whole.subscribe());
        tokio::spawn(async move {
            if !*state.borrow_and_update() {
                return;
            }
            let Ok(mut outward) = TcpStream::connect(&target).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut inward, &mut outward) => {}
                _ = state.wait_for(|whole| !whole) => {}
            }
        });
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
