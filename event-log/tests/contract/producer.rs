//! What becomes of the producer of a process when brokers and client disagree about what it wrote.

use std::path::{Path, PathBuf};
use std::time::Instant;

use event_log::{AppendError, ClaimError, ReadError};
use tokio::task::spawn_blocking;

use super::brokers::{Brokers, claim_again, initialise, opened};
use super::proxy::Proxy;
use super::support::{append, commits, record};
use super::topic::{PATIENCE, Topic};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// PLAT-1: a fatal producer error. The brokers put back an older copy of one shard, and what the producer sends there next
/// does not follow what they have of it, which librdkafka calls fatal. The process makes a new producer; the shard that
/// lost records is stopped by name, and the others are claimed again and go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_fatal_producer_error() {
    let brokers = spawn_blocking(|| Brokers::start("fatal", 1)).await.unwrap();
    let topic = Topic::at(brokers.addresses.clone());
    initialise(&topic.options()).await;
    let log = opened(&topic.options()).await;
    let (mut lost, mut kept) = (claim_again(&log, 0).await.ownership, claim_again(&log, 1).await.ownership);
    append(&log, &mut lost, [1]).await;
    append(&log, &mut kept, [1]).await;
    let folder: PathBuf = brokers.data().join(format!("{}-0", topic.name));
    let older = brokers.data().with_file_name("older");
    brokers.kill(1);
    copy(&folder, &older);
    brokers.restart();
    append(&log, &mut lost, [2, 3]).await;
    append(&log, &mut kept, [2]).await;
    brokers.kill(1);
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(&older, &folder).unwrap();
    brokers.restart();
    let next = vec![record(&mut lost, 4)];
    let refused = log.append(0, next).await.unwrap_err();
    let AppendError::Unconfirmed { shard: 0, problem } = &refused else { panic!("{refused}") };
    assert!(problem.contains("OutOfOrderSequenceNumber"), "{problem}");
    let started = Instant::now();
    let stopped = loop {
        match log.claim(0, "").await.unwrap_err() {
            ClaimError::Append(_) => assert!(started.elapsed() < PATIENCE, "no new producer was made"),
            stopped => break stopped,
        }
    };
    assert!(matches!(stopped, ClaimError::Read(ReadError::Truncated { shard: 0, .. })), "{stopped}");
    let mut kept = claim_again(&log, 1).await.ownership;
    append(&log, &mut kept, [3]).await;
    assert_eq!(commits(&log, 1).await, [1, 2, 3]);
}

/// PLAT-1: a broker's answer that is lost with its connection. The client sends the batch again; the broker knows it, writes
/// it no second time and tells where it stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_report_is_asked_for_again() {
    let listener = Proxy::listener().await;
    let address = listener.local_addr().unwrap().to_string();
    let detour = address.clone();
    let started = spawn_blocking(move || Brokers::with("answers", 1, &[("GESTA_KAFKA_DETOURS", &detour)]));
    let brokers = started.await.unwrap();
    let proxy = Proxy::at(listener, brokers.detours().remove(0));
    let topic = Topic::at(brokers.addresses.clone());
    initialise(&topic.options()).await;
    let mut options = topic.options();
    options.brokers = address;
    let log = opened(&options).await;
    let mut owner = claim_again(&log, 0).await.ownership;
    append(&log, &mut owner, [1]).await;
    let before = ends(&topic);
    proxy.mute();
    let appending = tokio::spawn({
        let (log, records) = (log.clone(), vec![record(&mut owner, 2), record(&mut owner, 3)]);
        async move { log.append(0, records).await }
    });
    let started = Instant::now();
    while ends(&topic) < before + 2 {
        assert!(started.elapsed() < PATIENCE, "the records came to the broker");
    }
    proxy.cut();
    proxy.mend();
    let offsets = appending.await.unwrap().unwrap();
    assert_eq!(offsets, [owner.offset_of(2), owner.offset_of(3)]);
    for (seq, offset) in (2..).zip(offsets) {
        owner.report(seq, Some(offset)).unwrap();
    }
    append(&log, &mut owner, [4]).await;
    assert_eq!(commits(&log, 0).await, [1, 2, 3, 4]);
}

/// Where shard 0 ends, asked past every proxy.
fn ends(topic: &Topic) -> i64 {
    topic.admin().inner().fetch_watermarks(&topic.name, 0, PATIENCE).unwrap().1
}
