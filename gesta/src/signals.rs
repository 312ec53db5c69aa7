//! SIGTERM and SIGINT: the first drains, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second signal.
const INTERRUPTED: i32 = 130;

/// A token that the first signal cancels. The second signal ends the process.
///
/// # Errors
/// When the system does not let signals be caught.
pub(crate) fn stop_token() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let first = stop.clone();
    tokio::spawn(async move {
        // Something else than a signal may have cancelled the token: that end is in order, and goes on.
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            signals += 1;
            if signals > 1 {
                tracing::warn!("second signal; ending at once");
                std::process::exit(INTERRUPTED);
            }
            tracing::info!("stopping; a second signal ends at once");
            first.cancel();
        }
    });
    Ok(stop)
}

/// Stops, as a signal would, when standard input is closed. A thread of its own: nothing can end a
/// blocked read, so no runtime may wait for it.
pub(crate) fn stop_with_stdin(stop: CancellationToken) {
    std::thread::spawn(move || {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).ok();
        stop.cancel();
    });
}
