//! The thread that follows all shards of the topic and feeds the tail.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};

use super::client::Consumer;
use super::message::stored;
use super::own::Own;
use super::remote::{ASK, Clients, Remote};
use crate::stored::Stored;

/// How long the thread waits for a message before it looks whether it is still wanted.
const WAIT: Duration = Duration::from_millis(100);
/// A broker collects this many bytes, or for this time, before it answers a fetch. One that answers for every
/// record costs the appends of the same broker a third of their rate (`examples/kafka_rate`).
pub(super) const FETCHES: [(&str, &str); 2] = [("fetch.min.bytes", "65536"), ("fetch.wait.max.ms", "10")];
/// Messages taken before their readers are told.
const BURST: usize = 500;
/// Time between two looks at shards whose records do not come although they must be there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lets `consumer` begin at `ends`, one per shard.
pub(super) fn begin(consumer: &Consumer, topic: &str, ends: &[u64]) -> KafkaResult<()> {
    let mut places = TopicPartitionList::new();
    for (shard, end) in (0..).zip(ends) {
        places.add_partition_offset(topic, shard, Offset::Offset(i64::try_from(*end).unwrap_or(i64::MAX)))?;
    }
    consumer.assign(&places)
}

/// Follows until the log is closed, and closes its clients then.
pub(super) fn run(clients: Clients, remote: &Weak<Remote>) {
    let mut state = State::default();
    while let Some(remote) = remote.upgrade() {
        state.step(&remote);
    }
    drop(clients);
}

#[derive(Default)]
struct State {
    /// Shards that were read to their end, by what the tail held then.
    read: std::collections::BTreeMap<u16, u64>,
    /// Those of them that were behind at the last look.
    stuck: std::collections::BTreeMap<u16, u64>,
    looked: Option<Instant>,
    scan: Option<GapScan>,
    /// The shard that was read apart last.
    last: Option<u16>,
    own: Own,
}

/// A shard is read apart from where the tail ends; gives where it ends if no record stands before that.
struct GapScan {
    shard: u16,
    came: u64,
    thread: JoinHandle<Option<u64>>,
}

impl GapScan {
    /// On a thread of its own, because brokers that are away keep it waiting.
    fn begin(remote: &Arc<Remote>, shard: u16, came: u64) -> Option<Self> {
        let remote = Arc::clone(remote);
        let thread = std::thread::Builder::new().name("gesta-log-gap".into());
        let thread = thread.spawn(move || remote.empty_until(shard, came));
        thread
            .inspect_err(|error| tracing::warn!(shard, %error, "no thread to read the shard apart"))
            .ok()
            .map(|thread| Self { shard, came, thread })
    }

    /// Passes over what holds no records, unless something came meanwhile.
    fn end(self, remote: &Remote) {
        let Self { shard, came, thread } = self;
        let Ok(Some(end)) = thread.join() else { return };
        let mut tail = remote.tail();
        if tail.next(shard) != came {
            return;
        }
        tracing::warn!(shard, came, end, "the shard ends in offsets without records; passing over them");
        tail.pass(shard, end.min(remote.end(shard)));
        drop(tail);
        remote.tell(shard);
    }
}

impl State {
    fn step(&mut self, remote: &Arc<Remote>) {
        let mut messages = Vec::new();
        let mut wait = WAIT;
        while messages.len() < BURST {
            match remote.clients.follower.poll(wait) {
                None => break,
                Some(Ok(message)) => messages.extend(of(&message)),
                Some(Err(ClientError::PartitionEOF(shard))) => {
                    let Ok(shard) = u16::try_from(shard) else { continue };
                    take(remote, std::mem::take(&mut messages));
                    self.read.insert(shard, remote.tail().next(shard));
                }
                Some(Err(error)) => {
                    take(remote, std::mem::take(&mut messages));
                    examine(remote, &error);
                }
            }
            wait = Duration::ZERO;
        }
        take(remote, messages);
        if let Some(scan) = self.scan.take_if(|scan| scan.thread.is_finished()) {
            scan.end(remote);
        }
        self.own.yield_to_others(remote);
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            self.looked = Some(Instant::now());
            self.own.look(remote);
            self.pass_gaps(remote);
        }
    }

    /// A shard that was read to its end although more must be there may end in offsets without records, such as
    /// the marker of a foreign transaction: nobody is to wait for them. What is merely late, at two looks in a row, is
    /// told from that by reading it apart, one shard after the other.
    fn pass_gaps(&mut self, remote: &Arc<Remote>) {
        let mut due = Vec::new();
        for (shard, came) in std::mem::take(&mut self.read) {
            if came != remote.tail().next(shard) || came >= remote.end(shard) {
                self.stuck.remove(&shard);
                continue;
            }
            self.read.insert(shard, came);
            if self.stuck.insert(shard, came) == Some(came) {
                due.push((shard, came));
            }
        }
        if self.scan.is_none() {
            let next = due.iter().find(|(shard, _)| self.last.is_none_or(|last| *shard > last));
            let Some((shard, came)) = next.or(due.first()).copied() else { return };
            self.last = Some(shard);
            self.scan = GapScan::begin(remote, shard, came);
        }
    }
}

fn of(message: &BorrowedMessage<'_>) -> Option<(u16, Arc<Stored>)> {
    Some((u16::try_from(message.partition()).ok()?, Arc::new(stored(message)?)))
}

/// Adds what came to the tail and tells the readers.
fn take(remote: &Remote, messages: Vec<(u16, Arc<Stored>)>) {
    if messages.is_empty() {
        return;
    }
    remote.clients.follower.context().answered();
    let shards: std::collections::BTreeSet<u16> = messages.iter().map(|(shard, _)| *shard).collect();
    let mut evicted = Vec::new();
    let mut tail = remote.tail();
    for (shard, record) in messages {
        tail.push(shard, record, &mut evicted);
    }
    drop(tail);
    for shard in shards {
        remote.tell(shard);
    }
}

/// Finds out which shard an error concerns and whether it is damage, which stops that shard by name;
/// else the consumer goes on where the tail ends.
fn examine(remote: &Remote, error: &ClientError) {
    let mut ends = Vec::new();
    for shard in 0..remote.genesis.shards {
        let next = remote.tail().next(shard);
        ends.push(next);
        if let Err(failure) = remote.explain(shard, next, error) {
            tracing::error!(shard, error = %failure, "the shard is not read any more");
            remote.tail().fail(shard, failure);
            remote.tell(shard);
        }
    }
    // Where nothing explains it, fetching goes on. Never by another assignment (see `Scans`).
    let reset = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset);
    for (shard, next) in (0..).zip(ends).filter(|_| reset) {
        let offset = Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX));
        if let Err(error) = remote.clients.follower.seek(&remote.topic, shard, offset, ASK) {
            tracing::warn!(shard, %error, "the shard cannot be followed now");
        }
    }
}
