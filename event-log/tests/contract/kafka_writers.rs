//! What several producers, full queues and large batches do to the order of a topic.

use std::time::{Duration, Instant};

use event_log::{AppendError, Kind, Log, Ownership, Record};

use super::support::{append, claim, commits, record};
use super::topic::{PATIENCE, Topic};

/// PLAT-1, PLAT-6: a zombie with a producer of its own is void for everyone, whatever it still sends.
#[tokio::test]
async fn a_zombie_with_a_second_producer() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    let (first, second) = (topic.log().await, topic.log().await);
    let mut zombie = claim(&first, 0).await.ownership;
    append(&first, &mut zombie, [1, 2]).await;
    let mut owner = claim(&second, 0).await.ownership;
    append(&second, &mut owner, [3]).await;
    let late = vec![record(&mut zombie, 666), record(&mut zombie, 667)];
    let offsets = first.append(0, late).await.unwrap();
    let broken = zombie.report(3, offsets.first().copied()).unwrap_err();
    assert!(!broken.is_damage(), "{broken}");
    // The owner notices by the offset alone, claims again, and finds its unproven record.
    let unproven = vec![record(&mut owner, 4)];
    let offset = second.append(0, unproven).await.unwrap()[0];
    assert!(owner.report(2, Some(offset)).is_err());
    let mut owner = claim(&second, 0).await.ownership;
    assert_eq!(owner.epoch(), 3);
    append(&second, &mut owner, [5]).await;
    for log in [&first, &second, &topic.log().await] {
        assert_eq!(commits(log, 0).await, [1, 2, 3, 4, 5]);
    }
}

/// PLAT-1: a shard that a process keeps busy is not fetched by it, and shows what others append all the same: soon,
/// and at once where the process appends behind it.
#[tokio::test]
async fn a_busy_owner_sees_what_others_append() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    let (busy, other) = (topic.log().await, topic.log().await);
    let mut expected = Vec::new();
    let mut numbers = 1..;
    for appends_behind in [false, true] {
        let mut owner = claim(&busy, 0).await.ownership;
        let started = Instant::now();
        while busy.is_fetched(0) {
            assert!(
                started.elapsed() < PATIENCE,
                "the shard is fetched although it is busy with its owner's records"
            );
            let batch: Vec<u64> = numbers.by_ref().take(50).collect();
            append(&busy, &mut owner, batch.iter().copied()).await;
            expected.extend(batch);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut next = claim(&other, 0).await.ownership;
        let number = numbers.next().unwrap();
        append(&other, &mut next, [number]).await;
        expected.push(number);
        if appends_behind {
            let late = vec![record(&mut owner, 666)];
            busy.append(0, late).await.unwrap();
        }
        let end = next.offset_of(next.next_seq());
        let mut ends = busy.watch(0);
        let comes = ends.wait_for(|known| *known >= end);
        tokio::time::timeout(PATIENCE, comes).await.expect("what others append comes").unwrap();
        for log in [&busy, &other, &topic.log().await] {
            assert_eq!(commits(log, 0).await, expected);
        }
    }
}

/// PLAT-1, PLAT-6: a record that the brokers refuse for ever fails its batch, and alone by name; what other shards append,
/// before and at the same time, is proven, and the shard goes on after its next claim.
#[tokio::test]
async fn a_refused_record_fails_alone() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    let log = topic.log().await;
    let mut owner = claim(&log, 0).await.ownership;
    let mut other = claim(&log, 1).await.ownership;
    append(&log, &mut owner, [1]).await;
    // Somebody lowers it under a running owner.
    topic.set("max.message.bytes", "5000").await;
    let poison = |owner: &mut Ownership| Record {
        value: vec![b' '; 6_000].into(),
        ..Record::barrier(owner.stamp(Kind::Barrier))
    };
    let started = Instant::now();
    let mut number = 10;
    loop {
        let refused = vec![record(&mut owner, 2), poison(&mut owner), record(&mut owner, 3)];
        let (refused, proven) =
            tokio::join!(log.append(0, refused), append(&log, &mut other, number..number + 3));
        assert_eq!(proven.len(), 3);
        number += 3;
        match refused {
            Err(AppendError::Unconfirmed { shard: 0, .. }) => break,
            Err(error) => panic!("{error}"),
            // The brokers take a moment to heed it.
            Ok(_) => assert!(started.elapsed() < PATIENCE, "the poison is taken"),
        }
    }
    let mut owner = claim(&log, 0).await.ownership;
    let alone = vec![poison(&mut owner)];
    let refused = log.append(0, alone).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { .. }), "{refused}");
    assert!(refused.to_string().contains("max.message.bytes"), "{refused}");
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [4]).await;
    append(&log, &mut other, [number]).await;
    assert_eq!(commits(&log, 0).await.last(), Some(&4));
    assert_eq!(commits(&log, 1).await, (10..=number).collect::<Vec<_>>());
}

/// PLAT-1: a queue of librdkafka that is full delays a batch, and neither tears nor reorders it.
#[tokio::test]
async fn a_full_queue_keeps_the_order() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    let mut options = topic.options();
    options.settings.insert("queue.buffering.max.messages".into(), "3".into());
    let log = Log::kafka(options).await.unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, 1..=100).await;
    append(&log, &mut owner, 101..=110).await;
    assert_eq!(commits(&log, 0).await, (1..=110).collect::<Vec<_>>());
}

/// PLAT-1: batches of one shard that are handed over at once go one after the other, and those of
/// shards side by side; the largest ones too.
#[tokio::test]
async fn batches_of_one_shard_keep_their_order() {
    let topic = Topic::one_node();
    Log::kafka_init(topic.options()).await.unwrap();
    let log = topic.log().await;
    let mut appends = Vec::new();
    for shard in 0..super::support::SHARDS {
        let mut owner = claim(&log, shard).await.ownership;
        for size in [10, 900_000, 70_000, 1, 520_000] {
            let large = |owner: &mut Ownership| {
                let mut value = vec![b' '; size];
                value.extend_from_slice(b"{}");
                Record { value: value.into(), ..Record::barrier(owner.stamp(Kind::Barrier)) }
            };
            let first = owner.offset_of(owner.next_seq());
            let records: Vec<_> = (0..4).map(|_| large(&mut owner)).collect();
            let log = log.clone();
            // In the order of their making: each is polled once before the next one is made.
            let mut append = Box::pin(async move { log.append(shard, records).await });
            assert!(futures_poll(&mut append).await.is_none());
            appends.push((first, append));
        }
    }
    for (first, append) in appends {
        assert_eq!(append.await.unwrap(), (first..first + 4).collect::<Vec<_>>());
    }
    for shard in 0..super::support::SHARDS {
        assert_eq!(super::support::read_all(&log, event_log::Start::Beginning(shard)).await.len(), 22);
    }
}

/// Polls a future once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(done) => Some(done),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
