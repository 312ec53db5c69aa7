//! What every backend keeps.

use event_log::{AppendError, ClaimError, Content, Counted, Kind, ReadError, Record, Start};
use rstest::rstest;
use schemas::commit::MAX_COMMIT_BYTES;

use super::support::{Backend, SHARDS, append, at, claim, commits, cursor, numbers, read_all, record};

/// PLAT-1: readers see the records of a shard in the order of their offsets, from the first on.
#[rstest]
#[tokio::test]
async fn a_reader_sees_every_proven_record_in_order(
    #[values(
        Backend::Memory,
        Backend::Embedded,
        Backend::SmallSegments,
        Backend::Kafka,
        Backend::ThreeNodes
    )]
    backend: Backend,
) {
    let fixture = backend.open().await;
    let log = &fixture.log;
    let mut owners = Vec::new();
    for shard in 0..SHARDS {
        owners.push(claim(log, shard).await.ownership);
    }
    for n in 1..=400 {
        let owner = &mut owners[usize::try_from(n).unwrap() % usize::from(SHARDS)];
        append(log, owner, [n]).await;
    }
    for shard in 0..SHARDS {
        let counted = read_all(log, Start::Beginning(shard)).await;
        assert!(matches!(counted[0].content, Content::Genesis(_)));
        assert!(matches!(counted[1].content, Content::Claim(_)));
        let offsets: Vec<u64> = counted.iter().map(|c| c.offset).collect();
        assert_eq!(offsets, (0..log.end(shard)).collect::<Vec<_>>());
        let expected: Vec<u64> = (1..=400).filter(|n| n % u64::from(SHARDS) == u64::from(shard)).collect();
        assert_eq!(numbers(&counted), expected);
        let at_once = log.reader(Start::Beginning(shard)).await.unwrap().next(10_000).await.unwrap();
        assert_eq!(numbers(&at_once), expected, "one step takes all that is there");
    }
}

/// PLAT-1, PLAT-10: a reader that wants an offset may begin before it and then sees what every other one sees;
/// in files it passes over one segment at most.
#[rstest]
#[tokio::test]
async fn a_reader_begins_near_an_offset(
    #[values(Backend::Memory, Backend::Embedded, Backend::SmallSegments)] backend: Backend,
) {
    let fixture = backend.open().await;
    let log = &fixture.log;
    let mut owner = claim(log, 1).await.ownership;
    for n in 1..=600 {
        append(log, &mut owner, [n]).await;
        if n % 150 == 0 {
            owner = claim(log, 1).await.ownership;
        }
    }
    let all = read_all(log, Start::Beginning(1)).await;
    let mut passed = Vec::new();
    for offset in [0, 1, 2, 150, 151, 152, 300, log.end(1) - 1, log.end(1), log.end(1) + 9] {
        let start = Start::Before { shard: 1, offset };
        let first = log.reader(start).await.unwrap().cursor().next_offset;
        assert!(first <= offset, "{first} is behind {offset}");
        passed.push(offset.min(log.end(1)) - first);
        let cursors = |counted: &[Counted]| counted.iter().map(|c| c.cursor).collect::<Vec<_>>();
        let from = usize::try_from(first).unwrap();
        assert_eq!(cursors(&read_all(log, start).await), cursors(&all)[from..], "from {offset}");
    }
    assert_eq!((passed[0], passed[1]), (0, 1));
    if backend != Backend::Memory {
        assert_eq!(passed[passed.len() - 2..], [0, 0], "the end is known");
    }
    if backend == Backend::SmallSegments {
        assert!(passed.iter().all(|passed| *passed < 300), "{passed:?}: a segment has fewer records");
    }
    assert!(log.reader(Start::Before { shard: SHARDS, offset: 0 }).await.is_err());
}

/// PLAT-1: a reader goes on from the cursor of any record, and only there.
#[rstest]
#[tokio::test]
async fn a_reader_goes_on_from_every_cursor(
    #[values(
        Backend::Memory,
        Backend::Embedded,
        Backend::SmallSegments,
        Backend::Kafka,
        Backend::ThreeNodes
    )]
    backend: Backend,
) {
    let fixture = backend.open().await;
    let log = &fixture.log;
    let mut owner = claim(log, 1).await.ownership;
    for n in 0..60 {
        append(log, &mut owner, [3 * n + 1, 3 * n + 2, 3 * n + 3]).await;
    }
    let all = read_all(log, Start::Beginning(1)).await;
    for (i, counted) in all.iter().enumerate() {
        let rest = read_all(log, Start::Cursor(counted.cursor)).await;
        assert_eq!(numbers(&rest), numbers(&all[i + 1..]));
    }
}

/// PLAT-1, PLAT-6: a claim opens the next epoch, tells the last commit's time, and makes the former owner void.
#[rstest]
#[tokio::test]
async fn a_claim_fences_the_former_owner(
    #[values(
        Backend::Memory,
        Backend::Embedded,
        Backend::SmallSegments,
        Backend::Kafka,
        Backend::ThreeNodes
    )]
    backend: Backend,
) {
    let fixture = backend.open().await;
    let log = &fixture.log;
    let first = claim(log, 0).await;
    assert_eq!((first.last_at, first.ownership.epoch()), (None, 1));
    let mut zombie = first.ownership;
    append(log, &mut zombie, [1, 2]).await;
    let second = claim(log, 0).await;
    assert_eq!((second.last_at, second.ownership.epoch()), (Some(at(2)), 2));
    assert_eq!(second.cursor.next_offset, second.ownership.base() + 1);
    let late = vec![record(&mut zombie, 666)];
    let offsets = log.append(0, late).await.unwrap();
    let broken = zombie.report(3, offsets.first().copied()).unwrap_err();
    assert!(!broken.is_damage());
    assert_eq!(zombie.report(3, Some(broken.expected)), Err(broken), "a broken proof stays broken");
    let mut owner = second.ownership;
    let own = record(&mut owner, 3);
    let offset = log.append(0, vec![own]).await.unwrap()[0];
    assert!(owner.report(1, Some(offset)).is_err(), "the zombie's record took its offset");
    let mut owner = claim(log, 0).await.ownership;
    append(log, &mut owner, [4]).await;
    assert_eq!(commits(log, 0).await, [1, 2, 3, 4]);
}

/// PLAT-6: of many claimers at once each epoch has one, and every claim is decided.
#[rstest]
#[tokio::test]
async fn of_concurrent_claims_one_per_epoch_counts(
    #[values(
        Backend::Memory,
        Backend::Embedded,
        Backend::SmallSegments,
        Backend::Kafka,
        Backend::ThreeNodes
    )]
    backend: Backend,
) {
    let fixture = backend.open().await;
    let log = &fixture.log;
    let claims = (0..20).map(|_| {
        let log = log.clone();
        tokio::spawn(async move { log.claim(2, "").await })
    });
    let mut epochs = Vec::new();
    for claimed in claims.collect::<Vec<_>>() {
        match claimed.await.unwrap() {
            Ok(claimed) => epochs.push(claimed.ownership.epoch()),
            Err(ClaimError::Lost { epoch, .. }) => assert!(epoch >= 1),
            Err(error) => panic!("{error}"),
        }
    }
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=epochs.len() as u64).collect::<Vec<_>>());
    let counted = read_all(log, Start::Beginning(2)).await;
    assert_eq!(counted.iter().filter(|c| matches!(c.content, Content::Claim(_))).count(), epochs.len());
}

/// PLAT-1: whoever waits for the end hears of every append.
#[rstest]
#[tokio::test]
async fn the_end_is_watched(#[values(Backend::Memory, Backend::Embedded, Backend::Kafka)] backend: Backend) {
    let fixture = backend.open().await;
    let log = &fixture.log;
    let mut watch = log.watch(0);
    assert_eq!((*watch.borrow(), log.end(0)), (1, 1));
    let mut owner = claim(log, 0).await.ownership;
    append(log, &mut owner, [1]).await;
    watch.wait_for(|end| *end == 3).await.unwrap();
    assert_eq!(log.end(SHARDS), 0, "there is no such shard");
}

/// PLAT-1: a barrier proves ownership and carries nothing.
#[rstest]
#[tokio::test]
async fn a_barrier_counts(#[values(Backend::Memory, Backend::Embedded, Backend::Kafka)] backend: Backend) {
    let fixture = backend.open().await;
    let mut owner = claim(&fixture.log, 0).await.ownership;
    let barrier = Record::barrier(owner.stamp(Kind::Barrier));
    let offset = fixture.log.append(0, vec![barrier]).await.unwrap()[0];
    owner.report(1, Some(offset)).unwrap();
    assert_eq!(owner.proven(), 1);
    let counted = read_all(&fixture.log, Start::Beginning(0)).await;
    assert!(matches!(counted[2].content, Content::Barrier));
    assert_eq!(claim(&fixture.log, 0).await.last_at, None);
}

/// PLAT-1: what is too large or goes nowhere is refused before anything is written.
#[rstest]
#[tokio::test]
async fn impossible_batches_are_refused_by_name(
    #[values(Backend::Memory, Backend::Embedded, Backend::Kafka)] backend: Backend,
) {
    let fixture = backend.open().await;
    let log = &fixture.log;
    let mut owner = claim(log, 0).await.ownership;
    let large = |bytes: usize| Record {
        value: vec![b' '; bytes].into(),
        ..Record::barrier(owner.stamp(Kind::Barrier))
    };
    let mut large = large;
    let refused = log.append(0, vec![large(MAX_COMMIT_BYTES)]).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { what: "a record", .. }), "{refused}");
    let batch: Vec<Record> = (0..20).map(|_| large(MAX_COMMIT_BYTES - 100)).collect();
    let refused = log.append(0, batch).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { what: "the batch", .. }), "{refused}");
    let long = Record { key: "k".repeat(70_000), ..large(1) };
    let refused = log.append(0, vec![long]).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { what: "the key of a record", .. }), "{refused}");
    let refused = log.append(SHARDS, vec![large(1)]).await.unwrap_err();
    assert!(matches!(refused, AppendError::NoShard { .. }), "{refused}");
    assert!(matches!(log.claim(SHARDS, "").await, Err(ClaimError::Append(AppendError::NoShard { .. }))));
    assert!(matches!(log.reader(Start::Beginning(SHARDS)).await, Err(ReadError::NoShard { .. })));
    assert_eq!(log.end(0), 2);
}

/// PLAT-1: a cursor of another log, another place or another history is refused.
#[rstest]
#[tokio::test]
async fn a_foreign_cursor_is_refused(
    #[values(
        Backend::Memory,
        Backend::Embedded,
        Backend::SmallSegments,
        Backend::Kafka,
        Backend::ThreeNodes
    )]
    backend: Backend,
) {
    let (fixture, other) = (backend.open().await, backend.open().await);
    let log = &fixture.log;
    let mut owner = claim(log, 0).await.ownership;
    append(log, &mut owner, 1..=3).await;
    let good = cursor(log, 0).await;
    assert!(log.reader(Start::Cursor(good)).await.is_ok());
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<event_log::Cursor>(&json).unwrap(), good);
    assert!(matches!(other.log.reader(Start::Cursor(good)).await, Err(ReadError::OtherLog { .. })));
    let refused = async |change: fn(&mut event_log::Cursor)| {
        let mut bad = good;
        change(&mut bad);
        log.reader(Start::Cursor(bad)).await.err()
    };
    assert!(matches!(refused(|c| c.generation += 1).await, Some(ReadError::OtherLog { .. })));
    assert!(matches!(refused(|c| c.next_offset += 1).await, Some(ReadError::Truncated { .. })));
    assert!(matches!(refused(|c| c.nonce ^= 1).await, Some(ReadError::Changed { .. })));
    assert!(matches!(refused(|c| c.epoch += 1).await, Some(ReadError::Changed { .. })));
    assert!(matches!(refused(|c| c.next_seq += 1).await, Some(ReadError::Changed { .. })));
    assert!(matches!(refused(|c| c.last_counted = Some(2)).await, Some(ReadError::Changed { .. })));
    assert!(matches!(refused(|c| c.last_counted = None).await, Some(ReadError::Changed { .. })));
    assert!(matches!(refused(|c| c.last_counted = Some(99)).await, Some(ReadError::Truncated { .. })));
    assert!(matches!(refused(|c| c.shard = SHARDS).await, Some(ReadError::NoShard { .. })));
}
