//! Listening: a busy default port moves on, a busy asked-for port is an error.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Ports that are tried behind a busy default.
const MAX_MOVES: u16 = 100;

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// Another program has the port.
    #[error(
        "port {port} of {address} is in use by another program; end that one, or choose another port with {flag} HOST:PORT"
    )]
    InUse {
        /// Address.
        address: std::net::IpAddr,
        /// Port.
        port: u16,
        /// The flag that names it.
        flag: &'static str,
    },
    /// Every port behind the default is taken.
    #[error("the ports {first} to {last} are all in use; choose a free one with {flag} HOST:PORT")]
    AllInUse {
        /// First port tried.
        first: u16,
        /// Last port tried.
        last: u16,
        /// The flag that names it.
        flag: &'static str,
    },
    /// The system refused for another reason.
    #[error("{address} cannot be listened on: {error}; choose another with {flag} HOST:PORT")]
    Refused {
        /// Address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
        /// The flag that names it.
        flag: &'static str,
    },
}

/// Listens on `asked` or, when nothing is asked for, on `default` or the next free port behind it.
///
/// # Errors
/// [`BindError`] names port and flag.
pub(crate) async fn listen(
    asked: Option<SocketAddr>,
    default: SocketAddr,
    flag: &'static str,
) -> Result<TcpListener, BindError> {
    let Some(address) = asked else { return next_free(default, flag).await };
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address: address.ip(), port: address.port(), flag },
        _ => BindError::Refused { address, error, flag },
    })
}

async fn next_free(default: SocketAddr, flag: &'static str) -> Result<TcpListener, BindError> {
    let (first, last) = (default.port(), default.port().saturating_add(MAX_MOVES));
    for port in first..=last {
        let address = SocketAddr::new(default.ip(), port);
        match TcpListener::bind(address).await {
            Ok(listener) => {
                if port != first {
                    tracing::warn!(busy = first, port, "port {first} is in use; {flag} moved on to {port}");
                }
                return Ok(listener);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(BindError::Refused { address, error, flag }),
        }
    }
    Err(BindError::AllInUse { first, last, flag })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_default_moves_on_and_a_busy_asked_for_port_is_refused() {
        let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let busy = holder.local_addr().unwrap();
        let moved = listen(None, busy, "--listen").await.unwrap();
        assert_ne!(moved.local_addr().unwrap().port(), busy.port());
        let text = listen(Some(busy), busy, "--listen").await.unwrap_err().to_string();
        assert!(text.contains(&busy.port().to_string()) && text.contains("--listen"), "{text}");
    }
}
