//! How fast the log's writer is on Kafka, beside a raw idempotent producer at its best linger, in the same run.
//!
//! `cargo run --release -p event-log --example kafka_rate -- [SECONDS]` needs `GESTA_KAFKA_BROKERS`. It prints one line of
//! JSON per number of records in flight: rates per second and median waits in microseconds, medians of alternating
//! stretches. Then how fast a new process reads all of it through rule F, commits parsed, beside a plain consumer that
//! looks at nothing. The topics it makes stay; use brokers that are thrown away.
#![expect(clippy::print_stdout, reason = "its only output")]

use std::error::Error;
use std::time::{Duration, Instant};

use event_log::{Content, KafkaOptions, Kind, Log, Record, Start};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};

const SHARDS: u16 = 8;
const IN_FLIGHT: [usize; 2] = [64, 256];
/// Lingers of which the raw producer gets its best, in milliseconds.
const LINGERS: [&str; 4] = ["0", "0.5", "1", "5"];
/// Stretches of each; medians are told.
const ROUNDS: usize = 3;
/// Most records of one batch of the log's writer.
const BATCH: usize = 1_000;
/// A commit of one progress event, about what the command service writes.
const VALUE: &str = r#"{"command":{"id":"0192f3a4-7c1e-7aaa-8888-123456789abc","type":"task.progress","bodyHash":"00112233445566778899aabbccddeeff"},"home":"default/task/00005b6e-9d1c-8a42-9f3b-0123456789ab","tenant":"default","actor":{"type":"agent","id":"worker-1"},"correlation":"0192f3a4-7c1e-7aaa-8888-123456789abd","causation":"0192f3a4-7c1e-7aaa-8888-123456789abd","at":"2026-01-02T03:04:05.678Z","events":[{"stream":"default/task/00005b6e-9d1c-8a42-9f3b-0123456789ab","version":7,"type":"gesta.work.task.progressed.v1","v":1,"data":{"fencing_token":3,"percent":42,"at":"2026-01-02T03:04:05.678Z"}}]}"#;

type Failure = Box<dyn Error + Send + Sync>;

/// Rate per second and median wait in microseconds.
#[derive(Debug, Clone, Copy)]
struct Figures(f64, u128);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(3), |text| text.parse())?;
    let stretch = Duration::from_secs(seconds);
    let brokers = std::env::var("GESTA_KAFKA_BROKERS").map_err(|_| "GESTA_KAFKA_BROKERS names no brokers")?;
    let topic = format!("bench-{}", uuid::Uuid::new_v4().simple());
    let options = KafkaOptions { topic: topic.clone(), ..KafkaOptions::new(&brokers, "bench", SHARDS) };
    Log::kafka_init(options.clone()).await?;
    // A topic with the same settings for the raw producer.
    let other = KafkaOptions { topic: format!("{topic}-raw"), ..options.clone() };
    Log::kafka_init(other.clone()).await?;
    let writer = Writer::new(Log::kafka(options.clone()).await?).await?;
    for in_flight in IN_FLIGHT {
        let (mut ours, mut raw) = (Vec::new(), vec![Vec::new(); LINGERS.len()]);
        for _ in 0..ROUNDS {
            ours.push(writer.stretch(in_flight, stretch).await?);
            for (linger, figures) in LINGERS.iter().zip(&mut raw) {
                figures.push(raw_stretch(&other, linger, in_flight, stretch).await?);
            }
        }
        let Figures(ours, wait) = median(ours);
        let raw = raw.into_iter().map(median).zip(LINGERS);
        let best = raw.max_by(|(a, _), (b, _)| a.0.total_cmp(&b.0));
        let (Figures(raw_rate, raw_wait), linger) = best.ok_or("no linger was tried")?;
        let line = serde_json::json!({
            "inFlight": in_flight,
            "logPerSecond": ours,
            "logP50Micros": wait,
            "rawPerSecond": raw_rate,
            "rawP50Micros": raw_wait,
            "rawBestLingerMs": linger,
            "ratio": (ours / raw_rate * 100.0).round() / 100.0,
        });
        println!("{line}");
    }
    drop(writer);
    let (commits, caught_up) = catch_up(Log::kafka(options.clone()).await?).await?;
    let consumed = tokio::task::spawn_blocking(move || consume(&options, commits)).await??;
    let line = serde_json::json!({
        "commits": commits,
        "catchUpPerSecond": rate(commits, caught_up),
        "plainConsumerPerSecond": rate(commits, consumed),
        "ratio": (consumed.as_secs_f64() / caught_up.as_secs_f64() * 100.0).round() / 100.0,
    });
    println!("{line}");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn rate(count: u64, elapsed: Duration) -> f64 {
    (count as f64 / elapsed.as_secs_f64()).round()
}

/// Reads every shard from its beginning to its end, all at once; how many commits there are, and how long that took.
async fn catch_up(log: Log) -> Result<(u64, Duration), Failure> {
    let begun = Instant::now();
    let read = |shard: u16| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut reader = log.reader(Start::Beginning(shard)).await?;
            let mut commits = 0;
            loop {
                let records = reader.next(BATCH).await?;
                if records.is_empty() {
                    return Ok::<u64, Failure>(commits);
                }
                commits += records
                    .iter()
                    .map(|record| u64::from(matches!(record.content, Content::Commit(_))))
                    .sum::<u64>();
            }
        })
    };
    let mut commits = 0;
    for shard in (0..SHARDS).map(read).collect::<Vec<_>>() {
        commits += shard.await??;
    }
    Ok((commits, begun.elapsed()))
}

/// Takes as many messages of the topic by one consumer of all its partitions.
fn consume(options: &KafkaOptions, messages: u64) -> Result<Duration, Failure> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.brokers)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let mut places = TopicPartitionList::new();
    for shard in 0..SHARDS {
        places.add_partition_offset(&options.topic, i32::from(shard), Offset::Beginning)?;
    }
    let begun = Instant::now();
    consumer.assign(&places)?;
    let mut taken = 0;
    while taken < messages {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            std::hint::black_box(message?.payload());
            taken += 1;
        }
    }
    Ok(begun.elapsed())
}

fn median(mut figures: Vec<Figures>) -> Figures {
    figures.sort_by(|a, b| a.0.total_cmp(&b.0));
    figures[figures.len() / 2]
}

fn figures(mut waits: Vec<Duration>, elapsed: Duration) -> Figures {
    waits.sort_unstable();
    let p50 = waits.get(waits.len() / 2).map_or(0, Duration::as_micros);
    Figures(rate(waits.len() as u64, elapsed), p50)
}

/// The log's writer as the command service drives it: per shard, what arrives while a batch is under way is the next.
struct Writer {
    shards: Vec<mpsc::Sender<oneshot::Sender<()>>>,
}

impl Writer {
    async fn new(log: Log) -> Result<Self, Failure> {
        let mut shards = Vec::new();
        for shard in 0..SHARDS {
            let mut owner = log.claim(shard, "").await?.ownership;
            let (sender, mut waiting) = mpsc::channel::<oneshot::Sender<()>>(BATCH);
            let log = log.clone();
            tokio::spawn(async move {
                let mut batch = Vec::new();
                while waiting.recv_many(&mut batch, BATCH).await > 0 {
                    let record = |_| {
                        let fence = owner.stamp(Kind::Commit);
                        Record { fence, key: String::new(), value: VALUE.as_bytes().into() }
                    };
                    let records = (0..batch.len()).map(record).collect();
                    if let Err(error) = log.append(shard, records).await {
                        println!("shard {shard}: {error}");
                        return;
                    }
                    for answer in batch.drain(..) {
                        let _ = answer.send(());
                    }
                }
            });
            shards.push(sender);
        }
        Ok(Self { shards })
    }

    async fn stretch(&self, in_flight: usize, stretch: Duration) -> Result<Figures, Failure> {
        let begun = Instant::now();
        let clients: Vec<_> = (0..in_flight)
            .map(|client| {
                let shard = self.shards[client % self.shards.len()].clone();
                tokio::spawn(async move {
                    let mut waits = Vec::new();
                    while begun.elapsed() < stretch {
                        let (started, (answer, answered)) = (Instant::now(), oneshot::channel());
                        shard.send(answer).await?;
                        answered.await?;
                        waits.push(started.elapsed());
                    }
                    Ok::<_, Failure>(waits)
                })
            })
            .collect();
        let mut waits = Vec::new();
        for client in clients {
            waits.extend(client.await??);
        }
        Ok(figures(waits, begun.elapsed()))
    }
}

struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<oneshot::Sender<bool>>;

    fn delivery(&self, result: &DeliveryResult<'_>, answer: Self::DeliveryOpaque) {
        let _ = answer.send(result.is_ok());
    }
}

/// One record per client in flight, spread over the partitions; librdkafka makes the batches.
async fn raw_stretch(
    options: &KafkaOptions,
    linger: &str,
    in_flight: usize,
    stretch: Duration,
) -> Result<Figures, Failure> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers).set("enable.idempotence", "true");
    config.set("acks", "all").set("linger.ms", linger).set("socket.nagle.disable", "true");
    let producer: ThreadedProducer<Reports> = config.create_with_context(Reports)?;
    let producer = std::sync::Arc::new(producer);
    let begun = Instant::now();
    let clients: Vec<_> = (0..in_flight)
        .map(|client| {
            let (producer, topic) = (producer.clone(), options.topic.clone());
            tokio::spawn(async move {
                let partition = i32::try_from(client % usize::from(SHARDS))?;
                let mut waits = Vec::new();
                while begun.elapsed() < stretch {
                    let (started, (answer, answered)) = (Instant::now(), oneshot::channel());
                    let record = BaseRecord::<(), str, _>::with_opaque_to(&topic, Box::new(answer));
                    producer.send(record.partition(partition).payload(VALUE)).map_err(|(error, _)| error)?;
                    if !answered.await? {
                        return Err("a record was not delivered".into());
                    }
                    waits.push(started.elapsed());
                }
                Ok::<_, Failure>(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for client in clients {
        waits.extend(client.await??);
    }
    Ok(figures(waits, begun.elapsed()))
}
