//! The public topics as analysts meet them: their document, and their records as programs read them that know
//! nothing of Gesta.

mod deployment;
mod document;
mod reading;
mod repeating;

use std::path::PathBuf;

use crate::architecture::sources::root;

/// What `tests/consumers/provision.sh` installed.
fn consumers(path: &str) -> PathBuf {
    let path = root().join(".local/consumers").join(path);
    assert!(path.exists(), "{} is missing; tests/consumers/provision.sh installs it", path.display());
    path
}
