//! `make bench`: figures as ratios against an anchor in the same run (docs/benchmarks.md).
//!
//! Run without arguments it measures; with `anchor URL CONNECTIONS` it is the anchor, a plain
//! axum + sqlx + Postgres service that checks the same schema and writes the same fact; with
//! `gesta CONNECTIONS` it loads Gesta alone, stretch by stretch, for a profiler to look on; with `topics`
//! it loads Gesta on Kafka, with the public topics fed and not (`make bench-kafka`).

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod anchor;
mod disk;
mod load;
mod pgbench;
mod report;
mod systems;
mod topics;

use std::time::Duration;

use report::{Figures, Pair};

/// Alternating pairs; medians are reported.
const PAIRS: usize = 5;
/// Length of one measured stretch.
const STRETCH: Duration = Duration::from_secs(4);
/// Connections of the two loads.
const CONNECTIONS: [usize; 2] = [64, 256];
/// Pool sizes that the anchor may choose its best of.
const ANCHOR_POOLS: [u32; 3] = [8, 16, 32];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    rustls::crypto::ring::default_provider().install_default().expect("no provider was installed before");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["anchor", url, pool] => {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
            runtime.block_on(anchor::serve(url, pool.parse().expect("a pool size")));
        }
        ["gesta", connections] => {
            load_from_here(alone(connections.parse().expect("a number of connections")));
        }
        ["topics"] => {
            let folder = tempfile::tempdir_in(systems::data_root()).expect("a folder for the data");
            load_from_here(topics::measure(folder.path()));
        }
        _ => load_from_here(measure()),
    }
}

/// The load shares the cores with what it measures: one thread, so that it takes little of them.
fn load_from_here(measuring: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(measuring);
}

async fn alone(connections: usize) {
    let folder = tempfile::tempdir_in(systems::data_root()).expect("a folder for the data");
    let gesta = systems::Gesta::start(folder.path()).await;
    let mut tasks = gesta.running_tasks(connections).await;
    for _ in 0..PAIRS {
        let Figures { rate, p50_micros, p99_micros } =
            load::run_on(gesta.address(), &mut tasks, STRETCH).await;
        println!("{rate:.0}/s, p50 {p50_micros} µs, p99 {p99_micros} µs");
    }
    println!("peak memory of gesta: {} MiB", gesta.peak_memory_mib());
}

async fn measure() {
    let folder = tempfile::tempdir_in(systems::data_root()).expect("a folder for the data");
    println!("fdatasync of 4 KiB, p50: {:?}", disk::fdatasync_p50(folder.path()));
    let postgres = pgbench::inserts_per_second(64);
    match &postgres {
        Ok(rate) => println!("pgbench, one event per transaction, 64 clients: {rate:.0}/s"),
        Err(why) => println!("pgbench: not measured: {why}"),
    }
    let pool = best_pool().await;
    for connections in CONNECTIONS {
        let pairs = pairs(connections, pool, folder.path()).await;
        println!("\nHTTP commands, {connections} connections, {PAIRS} pairs of {STRETCH:?}");
        report::print(&pairs, postgres.as_ref().ok().copied());
    }
}

/// The anchor gets the pool size with which it is fastest.
async fn best_pool() -> u32 {
    let mut best = (0.0, ANCHOR_POOLS[0]);
    for pool in ANCHOR_POOLS {
        let anchor = systems::Anchor::start(pool).await;
        let figures = load::run(anchor.address(), anchor.streams(CONNECTIONS[0]), STRETCH).await;
        println!("anchor with a pool of {pool}: {:.0}/s", figures.rate);
        if figures.rate > best.0 {
            best = (figures.rate, pool);
        }
    }
    best.1
}

async fn pairs(connections: usize, pool: u32, folder: &std::path::Path) -> Vec<Pair> {
    let gesta = systems::Gesta::start(&folder.join(format!("data-{connections}"))).await;
    let anchor = systems::Anchor::start(pool).await;
    let mut ours = gesta.running_tasks(connections).await;
    let mut theirs = anchor.streams(connections);
    let mut pairs = Vec::new();
    for pair in 0..=PAIRS {
        let gesta_figures = load::run_on(gesta.address(), &mut ours, STRETCH).await;
        let anchor_figures = load::run_on(anchor.address(), &mut theirs, STRETCH).await;
        // The first pair warms both up.
        if pair > 0 {
            pairs.push(Pair { gesta: gesta_figures, anchor: anchor_figures });
        }
    }
    println!("peak memory of gesta: {} MiB", gesta.peak_memory_mib());
    pairs
}

/// What one stretch measured.
pub(crate) fn figures(mut micros: Vec<u32>, elapsed: Duration) -> Figures {
    micros.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        let rank = ((micros.len() as f64 - 1.0) * share) as usize;
        micros.get(rank).copied().unwrap_or_default()
    };
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = micros.len() as f64 / elapsed.as_secs_f64();
    Figures { rate, p50_micros: at(0.5), p99_micros: at(0.99) }
}
