//! Load from many clients with retries while `gesta dev` is killed again and again.

use std::time::Duration;

use crate::load::{self, Run};
use crate::support::api::http;
use crate::support::database::Database;
use crate::support::gesta::{Gesta, events_of, free_address};

/// Clients that send commands at the same time.
const CLIENTS: u64 = 64;
/// Kills of the whole process.
const KILLS: u64 = 20;
/// Commands acknowledged in all, at least.
const ACKNOWLEDGED: u64 = 100_000;
/// Commands acknowledged between two kills, at least: a run that stood still proves nothing.
const BETWEEN_KILLS: u64 = 1_000;
/// Longest run.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// PLAT-6, PLAT-11, TASK-10, TASK-11: nothing acknowledged is lost or doubled, no version is skipped, no
/// refusal is false, however often the process is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_under_twenty_kills() {
    let seed = load::seed();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let database = Database::create().await;
    let (listen, ops) = (free_address(), free_address());
    let mut gesta = Gesta::start(&data, &database.url, listen, ops).await;
    let address = format!("http://{listen}");
    let run = Run::new(vec![address.clone()], &address, http(), LIMIT);
    let clients = run.begin(CLIENTS, seed);
    for kill in 1..=KILLS {
        let before = run.acknowledged();
        run.reach((before + BETWEEN_KILLS).max(kill * ACKNOWLEDGED / (KILLS + 1))).await;
        gesta.kill();
        gesta = Gesta::start(&data, &database.url, listen, ops).await;
    }
    run.reach(ACKNOWLEDGED).await;
    let operations = run.end(clients).await;
    let tasks = load::all_tasks(&run).await;
    eprintln!("{} rows read after {:?}", tasks.len(), run.began.elapsed());
    gesta.kill();
    load::judge(&operations, &events_of(&data), &tasks);
    let (acknowledged, took) = (run.acknowledged(), run.began.elapsed());
    eprintln!("{acknowledged} acknowledged, {} operations, {KILLS} kills, {took:?}", operations.len());
}
