//! Topics that were changed under a log: what is void, and what stops a reader by name.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use event_log::{ClaimError, Counted, Fence, Kind, Log, ReadError, Start};
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use super::scenarios::Rise;
use super::support::{append, claim, commits, cursor, numbers, record};
use super::topic::{PATIENCE, Topic};

/// Fence and value of a record of somebody else.
type Foreign<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// A log on one broker, with its topic.
async fn initialised() -> (Topic, Log) {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    let log = topic.log().await;
    (topic, log)
}

/// PLAT-1: foreign and corrupt records are void, counted, and never in the way.
#[tokio::test]
async fn foreign_records_on_the_topic() {
    let (topic, log) = initialised().await;
    let claimed = claim(&log, 0).await;
    let mut owner = claimed.ownership;
    append(&log, &mut owner, [1]).await;
    let of = |kind, nonce, seq| Fence { kind, epoch: 1, nonce, seq }.encode();
    let stale = of(Kind::Commit, owner.nonce(), 1);
    let stranger = of(Kind::Commit, 0xBAD, 2);
    let skipping = Fence { kind: Kind::Claim, epoch: 9, nonce: 0xBAD, seq: 0 }.encode();
    let genesis = log.genesis().record();
    let corrupt: [Foreign<'_>; 8] = [
        (None, Some(b"hello")),
        (None, None),
        (Some(b""), Some(b"{}")),
        (Some(b"short"), Some(b"\xff\xfe")),
        (Some(&stale), Some(b"{}")),
        (Some(&stranger), Some(b"not json")),
        (Some(&skipping), Some(b"{}")),
        (Some(&genesis.fence.encode()), Some(&genesis.value)),
    ];
    for (fence, value) in corrupt {
        topic.foreign(0, fence, value);
    }
    let lost = vec![record(&mut owner, 2)];
    let offset = log.append(0, lost).await.unwrap()[0];
    let broken = owner.report(2, Some(offset)).unwrap_err();
    assert!(
        !broken.is_damage() && offset == broken.expected + 8,
        "a foreign record takes an offset: {broken}"
    );
    let rise = Rise("gesta_log_void_records_total", Arc::default());
    let mut reader = log.reader(Start::Cursor(claimed.cursor)).await.unwrap();
    // They are few and in memory, so they are counted on this thread.
    let counting = metrics::set_default_local_recorder(&rise);
    let mut counted = Vec::new();
    while reader.cursor().next_offset < log.end(0) {
        counted.extend(reader.next(100).await.unwrap());
    }
    drop(counting);
    assert_eq!((numbers(&counted), rise.1.load(Ordering::Relaxed)), (vec![1, 2], 8));
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [3]).await;
    assert_eq!(commits(&topic.log().await, 0).await, [1, 2, 3], "the second landed and counts");
}

/// Everything that counts in shard 0, read to what is the end by then; fails where a reader waits for more.
async fn read_up(log: &Log, start: Start) -> Vec<Counted> {
    let read = async {
        let mut reader = log.reader(start).await.unwrap();
        let mut counted = Vec::new();
        loop {
            let more = reader.next(100).await.unwrap();
            if more.is_empty() {
                return counted;
            }
            counted.extend(more);
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("a reader waits for what never comes")
}

/// PLAT-1, PLAT-6: where a shard ends in the marker of somebody else's transaction, an offset without a record,
/// nobody waits for it: neither who follows the shard, nor who opens it then, nor a claim.
#[tokio::test]
async fn the_marker_of_a_foreign_transaction_is_passed_over() {
    let (topic, log) = initialised().await;
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [1]).await;
    let mut expected = vec![1];
    for (committed, next) in [(true, 2), (false, 3)] {
        let stood = cursor(&log, 0).await;
        topic.foreign_transaction(0, committed);
        assert_eq!(numbers(&read_up(&log, Start::Cursor(stood)).await), [0; 0]);
        assert_eq!(log.end(0), stood.next_offset + 2, "a record and the marker");
        let newcomer = topic.log().await;
        for start in [Start::Beginning(0), Start::Cursor(stood)] {
            for log in [&log, &newcomer] {
                let from = if matches!(start, Start::Cursor(_)) { expected.len() } else { 0 };
                assert_eq!(numbers(&read_up(log, start).await), expected[from..]);
            }
        }
        let claimer = if committed { &log } else { &newcomer };
        let claiming = tokio::time::timeout(PATIENCE, claim(claimer, 0));
        owner = claiming.await.expect("a claim waits for what never comes").ownership;
        append(claimer, &mut owner, [next]).await;
        expected.push(next);
        for log in [&log, &newcomer, &topic.log().await] {
            assert_eq!(commits(log, 0).await, expected);
        }
    }
}

/// PLAT-1, PLAT-28: a record of the owner that this release cannot read stops its readers, by name.
#[tokio::test]
async fn a_record_of_a_newer_release_on_the_topic() {
    let (topic, log) = initialised().await;
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [1]).await;
    let mut newer = Fence { kind: Kind::Commit, epoch: 1, nonce: owner.nonce(), seq: 2 }.encode();
    newer[0] = 9;
    topic.foreign(0, Some(&newer), Some(b"{}"));
    let log = topic.log().await;
    let mut reader = log.reader(Start::Beginning(0)).await.unwrap();
    let mut counted = Vec::new();
    let why = loop {
        match reader.next(100).await {
            Ok(more) => counted.extend(more),
            Err(why) => break why,
        }
    };
    assert_eq!(numbers(&counted), [1], "what counts before it is handed out first");
    assert!(matches!(why, ReadError::Unreadable { offset: 3, part: "header", .. }), "{why}");
    let refused = log.claim(0, "").await.unwrap_err();
    assert!(matches!(refused, ClaimError::Read(ReadError::Unreadable { .. })), "{refused}");
}

/// PLAT-1: a topic whose first records were deleted is no log any more, for those who have it open as for others.
#[tokio::test]
async fn a_topic_whose_start_is_gone() {
    let (topic, log) = initialised().await;
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [1, 2]).await;
    let stood = cursor(&log, 0).await;
    let mut gone = TopicPartitionList::new();
    gone.add_partition_offset(&topic.name, 0, Offset::Offset(2)).unwrap();
    topic.admin().delete_records(&gone, &AdminOptions::new()).await.unwrap();
    let why = Log::kafka(topic.options()).await.unwrap_err().to_string();
    assert!(why.contains("shard 0 does not begin with a GENESIS record"), "{why}");
    for start in [Start::Beginning(0), Start::Cursor(stood)] {
        let refused = log.reader(start).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, ReadError::NoGenesis { shard: 0 }), "{refused}");
    }
    let refused = log.claim(0, "").await.unwrap_err();
    assert!(matches!(refused, ClaimError::Read(ReadError::NoGenesis { .. })), "{refused}");
    assert_eq!(claim(&log, 1).await.ownership.epoch(), 1, "the other shards go on");
}

/// PLAT-1: a topic made anew, empty or as another log, is met by nobody who knew the former one.
#[tokio::test]
async fn a_topic_re_created_under_a_running_owner() {
    for records in [0, 40] {
        let (topic, log) = initialised().await;
        let mut owner = claim(&log, 0).await.ownership;
        append(&log, &mut owner, 1..=10).await;
        let stood = cursor(&log, 0).await;
        topic.make_anew().await;
        let other = Log::kafka_init(topic.options()).await.unwrap();
        assert_ne!(other.log_id, log.genesis().log_id);
        let newcomer = topic.log().await;
        let mut new = claim(&newcomer, 0).await.ownership;
        for n in 0..records {
            append(&newcomer, &mut new, [100 + n]).await;
        }
        // The running owner proves nothing any more: its record lands elsewhere, or nowhere.
        let late = vec![record(&mut owner, 11)];
        if let Ok(offsets) = log.append(0, late).await {
            let broken = owner.report(11, offsets.first().copied()).unwrap_err();
            assert!(broken.is_damage() || records == 40, "{broken}");
        }
        let refused = log.reader(Start::Cursor(stood)).await.map(|_| ()).unwrap_err();
        let named = matches!(refused, ReadError::Truncated { .. } | ReadError::Changed { .. });
        assert!(named, "{refused}");
        let refused = log.claim(0, "").await.unwrap_err();
        assert!(matches!(refused, ClaimError::Read(_)), "{refused}");
        let refused = newcomer.reader(Start::Cursor(stood)).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, ReadError::OtherLog { .. }), "{refused}");
        let mut owner = claim(&newcomer, 0).await.ownership;
        append(&newcomer, &mut owner, [500]).await;
        let mut expected: Vec<u64> = (100..100 + records).collect();
        expected.push(500);
        assert_eq!(commits(&newcomer, 0).await, expected, "the zombie of the former log counts nowhere");
    }
}
