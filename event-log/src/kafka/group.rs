//! The consumer group that suggests which process owns which shard. Nothing is read through it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, TopicPartitionList};

use super::client::{say, trouble};
use super::options::{KafkaError, KafkaOptions};
use crate::handle::blocking;
use crate::membership::{Hint, Shared};

/// A member that says nothing for so long is taken for dead.
const SESSION_MS: &str = "6000";
/// How often a member says that it is there, and hears that shards move.
const HEARTBEAT_MS: &str = "500";
/// How long members may take to agree, and a coordinator that fell silent is waited for; well above [`DRAIN`].
const AGREE_MS: &str = "15000";
/// How long a shard may take to end what is under way before it goes.
const DRAIN: Duration = Duration::from_secs(2);
/// How long the thread waits for news before it looks whether it shall end.
const LOOK: Duration = Duration::from_millis(100);
/// How long the question who else is there may take.
const ASK: Duration = Duration::from_secs(1);
/// Time before a consumer that cannot be made is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// This process's place in the group.
#[derive(Debug)]
pub(crate) struct Group {
    options: KafkaOptions,
    shared: Arc<Shared>,
    member: Mutex<Option<Member>>,
}

#[derive(Debug)]
struct Member {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<bool>,
}

impl Group {
    pub(crate) fn new(options: &KafkaOptions, shared: Arc<Shared>) -> Self {
        Self { options: options.clone(), shared, member: Mutex::default() }
    }

    pub(crate) fn join(&self) {
        let mut member = self.member.lock().unwrap_or_else(PoisonError::into_inner);
        if member.is_some() {
            return;
        }
        let stop = Arc::<AtomicBool>::default();
        let (told, options, shared) = (Arc::clone(&stop), self.options.clone(), Arc::clone(&self.shared));
        let thread = std::thread::Builder::new().name("gesta-log-group".into());
        match thread.spawn(move || run(&options, &shared, &told)) {
            Ok(thread) => *member = Some(Member { stop, thread }),
            Err(error) => tracing::error!(%error, "no thread for the group; this process will own no shard"),
        }
    }

    fn resign(&self) {
        let member = self.member.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = &*member {
            member.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Tells whether others are in the group.
    pub(crate) async fn leave(&self) -> bool {
        let member = self.member.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Member { stop, thread }) = member else { return false };
        stop.store(true, Ordering::Relaxed);
        blocking(move || thread.join().unwrap_or(false)).await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.resign();
    }
}

/// Takes part until it shall stop; tells whether others were there then.
fn run(options: &KafkaOptions, shared: &Arc<Shared>, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        match consumer(options, shared) {
            Ok(consumer) => return take_part(&consumer, &name(options), stop),
            Err(error) => {
                tracing::error!(%error, "the group that shares the shards cannot be joined; trying again");
                std::thread::sleep(RETRY);
            }
        }
    }
    false
}

fn take_part(consumer: &BaseConsumer<Members>, group: &str, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(LOOK) {
            Some(Err(error)) if !is_no_offset(&error) => {
                tracing::warn!(%error, "trouble in the group that shares the shards");
            }
            Some(_) | None => {}
        }
    }
    let others = |members: usize| members > 1;
    let asked = consumer.fetch_group_list(Some(group), ASK);
    asked.is_ok_and(|list| list.groups().iter().any(|group| others(group.members().len())))
}

/// Nothing is read: there is no place to begin at, and none is wanted.
fn is_no_offset(error: &ClientError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset)
}

/// The group belongs to the topic: whoever uses another topic shares nothing.
fn name(options: &KafkaOptions) -> String {
    format!("{}.owners", options.topic)
}

fn consumer(options: &KafkaOptions, shared: &Arc<Shared>) -> Result<BaseConsumer<Members>, KafkaError> {
    let made = |error| KafkaError::unreachable(options, "making the member of the group", error);
    let mut config: ClientConfig = options.client()?;
    config
        .set("group.id", name(options))
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", SESSION_MS)
        .set("heartbeat.interval.ms", HEARTBEAT_MS)
        .set("max.poll.interval.ms", AGREE_MS)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error");
    let consumer: BaseConsumer<Members> =
        config.create_with_context(Members { shared: Arc::clone(shared) }).map_err(made)?;
    consumer.subscribe(&[&options.topic]).map_err(made)?;
    Ok(consumer)
}

/// Hears which shards come and go.
struct Members {
    shared: Arc<Shared>,
}

impl ClientContext for Members {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        say(level, facility, message);
    }

    fn error(&self, error: ClientError, reason: &str) {
        if !is_no_offset(&error) {
            trouble(&error, reason);
        }
    }
}

fn shards(partitions: &TopicPartitionList) -> Vec<u16> {
    partitions.elements().iter().filter_map(|element| u16::try_from(element.partition()).ok()).collect()
}

impl ConsumerContext for Members {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(partitions) = rebalance else { return };
        let shards = shards(partitions);
        let lost = consumer.assignment_lost();
        tracing::info!(?shards, lost, "shards go to another process");
        self.shared.tell(&shards, if lost { Hint::Lost } else { Hint::Away });
        if !lost {
            self.shared.await_released(&shards, DRAIN);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else { return };
        if let Err(error) = consumer.pause(partitions) {
            tracing::debug!(%error, "reading through the group is not paused");
        }
        let shards = shards(partitions);
        if !shards.is_empty() {
            tracing::info!(?shards, "this process should own these shards");
        }
        self.shared.tell(&shards, Hint::Assigned);
    }
}
