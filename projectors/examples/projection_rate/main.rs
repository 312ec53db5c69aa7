//! How many events a second the live projection applies, beside the same fold done row by row (read,
//! fold, upsert, transactions of 500) in the same run, on two connections each.
//!
//!     GESTA_POSTGRES_URL=… cargo run --release -p projectors --example projection_rate [ROUNDS [KEYS…]]

#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

mod anchor;
mod load;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use event_log::{Log, MemoryOptions};
use projectors::{Options, Status, run};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use load::Load;

/// The allocator of `gesta`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shards, each of which has its own connection.
const SHARDS: u16 = 2;
/// How many times as fast as row by row the projection shall be: with at most so many keys, which are hot, and with
/// more.
const GOALS: (usize, f64, f64) = (2_000, 35.0, 6.0);
/// Events that the projection applies in a round.
const EVENTS: usize = 100_000;
/// Events that the anchor applies in a round: it is slow.
const ANCHOR_EVENTS: usize = 10_000;

#[tokio::main]
async fn main() -> Result<()> {
    let numbers: Vec<usize> =
        std::env::args().skip(1).map(|number| number.parse()).collect::<Result<_, _>>()?;
    let (rounds, keys) = numbers.split_first().map_or((5, [].as_slice()), |(rounds, keys)| (*rounds, keys));
    let keys = if keys.is_empty() { &[100_000, 2_000] } else { keys };
    let server = std::env::var("GESTA_POSTGRES_URL").context("GESTA_POSTGRES_URL names no Postgres")?;
    for &keys in keys {
        let (ours, anchor) = compare(&server, keys, rounds).await?;
        let goal = if keys <= GOALS.0 { GOALS.1 } else { GOALS.2 };
        println!(
            "{keys} keys: task_list {ours:.0}/s, row by row {anchor:.0}/s, ratio {:.1} (goal: >= {goal:.0})",
            ours / anchor
        );
    }
    for &keys in keys {
        let mut bench = Bench::new(&server, keys, &[]).await?;
        let mut rates = Vec::new();
        for _ in 0..rounds {
            rates.push(bench.projection().await?);
        }
        println!("{keys} keys: every read model {:.0}/s", median(rates));
        bench.end().await;
    }
    Ok(())
}

/// Medians over alternating rounds.
async fn compare(server: &str, keys: usize, rounds: usize) -> Result<(f64, f64)> {
    let mut bench = Bench::new(server, keys, &["task_list"]).await?;
    anchor::prepare(&bench.url, &bench.pool).await?;
    let (mut ours, mut anchors) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let rate = bench.projection().await?;
        let anchor = bench.anchor().await?;
        println!("  {keys} keys, round {round}: task_list {rate:.0}/s, row by row {anchor:.0}/s");
        ours.push(rate);
        anchors.push(anchor);
    }
    bench.end().await;
    Ok((median(ours), median(anchors)))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

struct Bench {
    url: String,
    pool: PgPool,
    load: Load,
    readers: anchor::Readers,
    names: Vec<String>,
    status: Status,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), projectors::RunError>>,
}

impl Bench {
    /// A database of its own with all tasks running already.
    async fn new(server: &str, keys: usize, names: &[&str]) -> Result<Self> {
        let mut conn = PgConnection::connect(server).await?;
        let name = format!("b_{}", Uuid::new_v4().simple());
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut conn).await?;
        let (host, _) = server.rsplit_once('/').context("the URL ends with a database")?;
        let url = format!("{host}/{name}");
        migrations::migrate(&url).await?;
        let pool = migrations::projector_pool(&url, 4)?;
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let (status, cancel) = (Status::default(), CancellationToken::new());
        let options = Options { projections: names.clone(), status: status.clone(), ..Options::default() };
        let log = Log::memory(MemoryOptions { shards: SHARDS, ..MemoryOptions::default() });
        let load = Load::new(log, keys).await?;
        let task = tokio::spawn(run(load.log.clone(), pool.clone(), options, cancel.clone()));
        let readers = anchor::Readers::new(&load.log).await?;
        let mut bench = Self { url, pool, load, readers, names, status, cancel, task };
        let begun = bench.load.begun(0..keys, true);
        bench.apply(begun).await?;
        Ok(bench)
    }

    async fn projection(&mut self) -> Result<f64> {
        let records = self.load.renewals(EVENTS);
        Ok(EVENTS as f64 / self.apply(records).await?.as_secs_f64())
    }

    async fn anchor(&mut self) -> Result<f64> {
        let records = self.load.renewals(ANCHOR_EVENTS);
        // The rows of both sides go on from the same events.
        anchor::copy(&self.url).await?;
        self.readers.skip().await?;
        self.apply(records).await?;
        let took = self.readers.apply(&self.pool).await?;
        anchor::assert_same(&self.url).await?;
        Ok(ANCHOR_EVENTS as f64 / took.as_secs_f64())
    }

    /// Appends records and waits until they are applied.
    async fn apply(&mut self, records: load::Records) -> Result<Duration> {
        let mut applied = self.status.watch();
        let begun = Instant::now();
        self.load.append(records).await?;
        loop {
            let name = self.names.first().map_or("event_journal", String::as_str);
            let done = (0..SHARDS)
                .all(|shard| self.status.next_offset(name, shard) == Some(self.load.log.end(shard)));
            if done {
                return Ok(begun.elapsed());
            }
            applied.changed().await?;
        }
    }

    async fn end(self) {
        self.cancel.cancel();
        drop(self.task.await);
    }
}
