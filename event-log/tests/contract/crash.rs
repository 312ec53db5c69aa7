//! Processes that are killed while they append.

use event_log::Log;

use super::child::Driver;
use super::image::read;
use super::support::{options, small};

/// PLAT-1: however often the writer is killed, every commit that it acknowledged is there, once, in order.
#[tokio::test]
async fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=6_u64 {
        let mut child = Driver::start(dir.path(), &[]);
        assert_eq!(child.ask("claim"), "ok");
        child.tell("flood");
        for _ in 0..round * 30 {
            acknowledged = child.answer().unwrap().parse().unwrap();
        }
        child.kill();
        let log = Log::open(if round % 2 == 0 { small(dir.path()) } else { options(dir.path()) }).unwrap();
        let found = read(&log).await.unwrap().swap_remove(0);
        assert!(
            found.len() as u64 >= acknowledged,
            "{acknowledged} were acknowledged, {} are there",
            found.len()
        );
        assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>());
    }
    assert!(acknowledged > 100);
}
