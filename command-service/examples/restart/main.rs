//! How soon the command service is back: the replay of a log without a store, and the restart from one.
//!
//!     cargo run --release -p command-service --example restart -- DIR [COMMITS [STREAMS]]
//!
//! DIR must not exist yet; it is removed. It takes about 1.5 KiB for each of the commits and streams.

#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

#[path = "../../../projectors/examples/projection_rate/load.rs"]
mod load;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use command_service::service::{Service, ServiceOptions};
use event_log::{EmbeddedOptions, Log};

use load::Load;

/// The allocator of `gesta`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHARDS: u16 = 8;
/// Commits of each task whose log is replayed: its first one, and renewals of its lease.
const COMMITS_PER_TASK: usize = 10;
/// Commits that are made before they are appended.
const STEP: usize = 50_000;
/// Rounds of which the median is reported.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().context("name a directory that does not exist yet")?);
    let mut number = |or: usize| arguments.next().map_or(Ok(or), |text| text.parse());
    let (commits, streams) = (number(1_000_000)?, number(1_000_000)?);
    std::fs::create_dir_all(dir.parent().context("the directory lies in another one")?)?;
    std::fs::create_dir(&dir)?;
    let measured = async {
        replay(&dir.join("replay"), commits).await?;
        restart(&dir.join("restart"), streams).await
    };
    let measured = measured.await;
    std::fs::remove_dir_all(&dir)?;
    measured
}

fn open(dir: &Path) -> Result<Log> {
    Ok(Log::open(EmbeddedOptions::new(dir, "bench", SHARDS))?)
}

/// Reads, applies rule F, decodes and evolves everything; nothing is stored.
async fn replay(dir: &Path, commits: usize) -> Result<()> {
    let tasks = commits / COMMITS_PER_TASK;
    let mut load = Load::new(open(dir)?, tasks).await?;
    fill(&mut load, tasks, true).await?;
    for from in (tasks..commits).step_by(STEP) {
        let renewals = load.renewals(STEP.min(commits - from));
        load.append(renewals).await?;
    }
    drop(load);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let log = open(dir)?;
        let took = ready(&log, &ServiceOptions::default()).await?;
        rates.push(commits as f64 / took.as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!("replay of {commits} commits: {:.0}/s (goal: >= 500,000/s)", rates[ROUNDS / 2]);
    Ok(())
}

/// Opens a log and its store and waits until commands are taken; every stream is a task that waits.
async fn restart(dir: &Path, streams: usize) -> Result<()> {
    let mut load = Load::new(open(&dir.join("log"))?, streams).await?;
    fill(&mut load, streams, false).await?;
    drop(load);
    let options = ServiceOptions { store: Some(dir.join("state")), ..ServiceOptions::default() };
    let first = ready(&open(&dir.join("log"))?, &options).await?;
    println!("replay of {streams} streams into the store: {first:.1?}");
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let log = open(&dir.join("log"))?;
        let opened = begun.elapsed();
        times.push(opened + ready(&log, &options).await?);
    }
    times.sort_unstable();
    println!("restart with {streams} streams from the checkpoint: {:.1?} (goal: <= 5 s)", times[ROUNDS / 2]);
    Ok(())
}

async fn fill(load: &mut Load, tasks: usize, run: bool) -> Result<()> {
    for from in (0..tasks).step_by(STEP) {
        let begun = load.begun(from..tasks.min(from + STEP), run);
        load.append(begun).await?;
    }
    Ok(())
}

/// Starts a service, and ends it in order once all shards took commands; the time until they did.
async fn ready(log: &Log, options: &ServiceOptions) -> Result<Duration> {
    let begun = Instant::now();
    let service = Service::start(log, options)?;
    let status = service.ready().await;
    let took = begun.elapsed();
    ensure!(status.is_ready(), "a shard is stopped: {:?}", status.stopped().collect::<Vec<_>>());
    service.shutdown().await;
    Ok(took)
}
