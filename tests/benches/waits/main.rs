//! `make bench`: how long clients wait for the running system, all roles in one process (docs/benchmarks.md).

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod claims;
mod load;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;
mod visible;

use std::path::Path;
use std::time::Duration;

use support::database::Database;
use support::gesta::Gesta;

fn main() {
    tokio::runtime::Runtime::new().expect("a runtime starts").block_on(measure());
}

async fn measure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let folder = root.join(".local/bench");
    std::fs::create_dir_all(&folder).expect("a folder for the data");
    let folder = tempfile::tempdir_in(folder).expect("a folder for the data");
    let database = Database::create().await;
    let gesta = Gesta::start_anywhere(&folder.path().join("data"), &database.url).await;
    visible::measure(&gesta).await;
    claims::measure(&gesta).await;
}

/// Prints the median and the 99th percentile beside their goals.
fn print(what: &str, mut waits: Vec<Duration>, goals: &str) {
    waits.sort_unstable();
    let at = |percent: usize| {
        waits.get(waits.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    };
    println!("{what}: p50 {:.1?}, p99 {:.1?} of {} ({goals})", at(50), at(99), waits.len());
}
