//! Rebuilt = live, row for row.

use projectors::{Options, rebuild};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio_util::sync::CancellationToken;

use crate::fixture::Fixture;
use crate::history::{self, Step};
use crate::table::{assert_equal, dump};

fn choices(length: usize) -> Vec<u16> {
    // One fixed walk for the tests that need a long history rather than many.
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    let walk = std::iter::successors(Some(42_u64), next).skip(1).map(|state| (state >> 40) as u16);
    walk.take(length).collect()
}

pub(crate) fn long(lives: usize, length: usize) -> Vec<Step> {
    history::steps(lives, &choices(length))
}

/// Applies a history piece by piece to the live generation, then all of it to another one.
async fn live_and_rebuilt(steps: &[Step], piece: usize, options: Options) {
    let mut fixture = Fixture::new(3).await;
    let live = fixture.start(options);
    for steps in steps.chunks(piece) {
        fixture.append(steps).await;
        fixture.applied(1).await;
    }
    live.stop().await;
    rebuild(fixture.log.clone(), &fixture.url, fixture.pool.clone(), 2, CancellationToken::new())
        .await
        .unwrap();
    let rebuilt = dump(&fixture.pool, "g2").await;
    assert_equal(&dump(&fixture.pool, "g1").await, &rebuilt);
    let events: usize = steps.iter().map(|step| step.events.len()).sum();
    let journal = rebuilt.iter().find(|(name, _)| *name == "event_journal").unwrap();
    assert_eq!(journal.1.len(), events);
}

/// PLAT-1, PLAT-18: every read model rebuilt from the log equals the live one in all columns.
#[test]
fn a_rebuilt_generation_equals_the_live_one() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let histories = (1_usize..12, proptest::collection::vec(any::<u16>(), 1..400), 1_usize..120);
    runner
        .run(&histories, |(lives, choices, piece)| {
            // No row at hand and tiny batches: what memory would hide shows.
            let options = Options { cache_bytes: 0, batch_commits: 7, ..Options::default() };
            runtime.block_on(live_and_rebuilt(&history::steps(lives, &choices), piece, options));
            Ok(())
        })
        .unwrap();
}

/// The same with rows kept at hand, live rows that went in as arrays and rebuilt ones that were copied.
#[tokio::test(flavor = "multi_thread")]
async fn copied_rows_equal_rows_in_arrays() {
    live_and_rebuilt(&long(6_000, 25_000), 1_500, Options::default()).await;
}
