//! How fast the embedded log appends and replays on this machine.
//!
//! `cargo run --release -p event-log --example append_rate -- DIR [IN_FLIGHT] [SECONDS]` prints one
//! line of JSON: durable appends per second with that many in flight, commits per second replayed
//! from the files, and the median fdatasync beside them. DIR must not exist yet; it is removed.
#![expect(clippy::print_stdout, reason = "its only output")]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::{EmbeddedOptions, Kind, Log, Record, Start};
use tokio::sync::Mutex;

const SHARDS: u16 = 8;
/// Unit of `/proc/self/stat` on Linux.
const TICKS_PER_SECOND: u16 = 100;
/// A commit of one progress event, about what the command service writes.
const VALUE: &str = r#"{"command":{"id":"0192f3a4-7c1e-7aaa-8888-123456789abc","type":"task.progress","bodyHash":"00112233445566778899aabbccddeeff"},"home":"default/task/00005b6e-9d1c-8a42-9f3b-0123456789ab","tenant":"default","actor":{"type":"agent","id":"worker-1"},"correlation":"0192f3a4-7c1e-7aaa-8888-123456789abd","causation":"0192f3a4-7c1e-7aaa-8888-123456789abd","at":"2026-01-02T03:04:05.678Z","events":[{"stream":"default/task/00005b6e-9d1c-8a42-9f3b-0123456789ab","version":7,"type":"gesta.work.task.progress_reported.v1","v":1,"data":{"fencing_token":3,"percent":42,"at":"2026-01-02T03:04:05.678Z"}}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("name a directory that does not exist yet")?);
    let in_flight: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    std::fs::create_dir(&dir)?;
    let fdatasync = fdatasync_p50(&dir.join("probe"))?;
    let log = Log::open(EmbeddedOptions::new(dir.join("log"), "bench", SHARDS))?;
    let (appended, mut waits) = append(&log, in_flight, Duration::from_secs(seconds)).await?;
    waits.sort_unstable();
    drop(log);
    let started = Instant::now();
    let log = Log::open(EmbeddedOptions::new(dir.join("log"), "bench", SHARDS))?;
    let opened = started.elapsed();
    let (started, cpu) = (Instant::now(), cpu_seconds()?);
    let shards: Vec<_> = (0..SHARDS).map(|shard| tokio::spawn(replay(log.clone(), shard))).collect();
    let mut replayed = 0_usize;
    for shard in shards {
        replayed += shard.await??;
    }
    let (replayed_in, replay_cpu) = (started.elapsed(), cpu_seconds()? - cpu);
    drop(log);
    std::fs::remove_dir_all(&dir)?;
    let line = serde_json::json!({
        "inFlight": in_flight,
        "appendsPerSecond": appended / seconds,
        "appendP50Micros": waits[waits.len() / 2].as_micros(),
        "appendP99Micros": waits[waits.len() * 99 / 100].as_micros(),
        "fdatasyncP50Micros": fdatasync.as_micros(),
        "openMillis": opened.as_millis(),
        "replayCommitsPerSecond": (replayed as f64 / replayed_in.as_secs_f64()).round(),
        "replayCpuMicrosPerCommit": replay_cpu * 1e6 / replayed as f64,
    });
    println!("{line}");
    Ok(())
}

/// Reads one shard from its beginning; the commits are parsed.
async fn replay(log: Log, shard: u16) -> Result<usize, event_log::ReadError> {
    let mut reader = log.reader(Start::Beginning(shard)).await?;
    let mut replayed = 0;
    loop {
        let counted = reader.next(1_000).await?;
        if counted.is_empty() {
            return Ok(replayed);
        }
        replayed += counted.len();
    }
}

/// Appends single records from `in_flight` tasks at once, spread over all shards.
async fn append(log: &Log, in_flight: usize, time: Duration) -> Result<(u64, Vec<Duration>), Box<dyn Error>> {
    let mut owners = Vec::new();
    for shard in 0..SHARDS {
        owners.push(Arc::new(Mutex::new(log.claim(shard, "").await?.ownership)));
    }
    let until = Instant::now() + time;
    let tasks: Vec<_> = (0..in_flight)
        .map(|i| {
            let (log, owner) = (log.clone(), Arc::clone(&owners[i % owners.len()]));
            tokio::spawn(async move {
                let (mut count, mut waits) = (0_u64, Vec::new());
                while Instant::now() < until {
                    let started = Instant::now();
                    // The owner is held until the batch is queued, so that offsets follow sequences.
                    let mut owner = owner.lock().await;
                    let fence = owner.stamp(Kind::Commit);
                    let record = Record { fence, key: String::new(), value: VALUE.as_bytes().into() };
                    let mut append = Box::pin(log.append(owner.shard(), vec![record]));
                    let first =
                        std::future::poll_fn(|context| std::task::Poll::Ready(append.as_mut().poll(context)));
                    let queued = first.await;
                    drop(owner);
                    if queued.is_pending() {
                        append.await?;
                    }
                    waits.push(started.elapsed());
                    count += 1;
                }
                Ok::<_, event_log::AppendError>((count, waits))
            })
        })
        .collect();
    let (mut count, mut waits) = (0, Vec::new());
    for task in tasks {
        let (more, its) = task.await??;
        count += more;
        waits.extend(its);
    }
    Ok((count, waits))
}

/// Processor time of this process so far; what a busy machine does not distort.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("/proc/self/stat has another form")?.1;
    let ticks: Vec<f64> = after_name.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    Ok(ticks.iter().sum::<f64>() / f64::from(TICKS_PER_SECOND))
}

fn fdatasync_p50(path: &Path) -> Result<Duration, Box<dyn Error>> {
    let mut file = File::create(path)?;
    let mut waits = Vec::new();
    for _ in 0..200 {
        file.write_all(&[1; 4_096])?;
        let started = Instant::now();
        file.sync_data()?;
        waits.push(started.elapsed());
    }
    waits.sort_unstable();
    Ok(waits[waits.len() / 2])
}
