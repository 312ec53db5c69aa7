//! Standard output for results. A reader that went away, such as `head`, ends the program quietly.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes one line.
///
/// # Errors
/// What the system says, other than that nobody reads any more.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    settle(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes octets as they are.
///
/// # Errors
/// As [`line`].
pub(crate) fn octets(octets: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    settle(out.write_all(octets).and_then(|()| out.flush()))
}

fn settle(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other,
    }
}
