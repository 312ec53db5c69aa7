//! Opening and initialising a log on Kafka.

use std::time::{Duration, Instant};

use rdkafka::admin::AdminClient;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError as ClientError;
use uuid::Uuid;

use super::client::{Consumer, Context};
use super::follow::FETCHES;
use super::options::{KafkaError, KafkaOptions};
use super::remote::ASK;
use super::scan::{Scans, consumer_config};
use super::settings::{self, Cluster};
use super::writer::Writer;
use crate::fence::Kind;
use crate::reader::{Content, ReadError};
use crate::record::{FORMAT, Genesis};

/// How long a record that must be there may take to be read.
const READ: Duration = Duration::from_secs(30);

/// How long the client may take to tell the next thing that happened.
const HEAR: Duration = Duration::from_millis(50);

/// The clients that opening needs.
pub(super) struct Opening {
    pub(super) consumer: Consumer,
    pub(super) scans: Scans,
    pub(super) admin: AdminClient<Context>,
    options: KafkaOptions,
}

impl Opening {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self, KafkaError> {
        let made = |error| KafkaError::unreachable(options, "making a client", error);
        let mut following = consumer_config(options)?;
        options.prefer(&mut following, &FETCHES);
        let consumer = following.create_with_context(Context::default()).map_err(made)?;
        let admin = options.client()?.create_with_context(Context::default()).map_err(made)?;
        let scans = Scans::new(options)?;
        Ok(Self { consumer, scans, admin, options: options.clone() })
    }

    /// Checks the topic, its settings and the first record of every shard; tells the ends of the shards.
    pub(super) fn verify(&self) -> Result<(Genesis, Vec<u64>), KafkaError> {
        self.verified().map_err(|error| self.explain(error))
    }

    /// Creates the topic if there is none, and writes the first record of every shard that has none.
    pub(super) fn initialise(&self) -> Result<Genesis, KafkaError> {
        self.initialised().map_err(|error| self.explain(error))
    }

    /// The brokers that were away may have refused this client; it hears of that by polling.
    fn explain(&self, error: KafkaError) -> KafkaError {
        if !matches!(error, KafkaError::Unreachable { .. }) {
            return error;
        }
        while self.consumer.poll(HEAR).is_some() {}
        match self.consumer.context().refused() {
            Some(why) => KafkaError::Refused { brokers: self.options.brokers.clone(), why },
            None => error,
        }
    }

    fn verified(&self) -> Result<(Genesis, Vec<u64>), KafkaError> {
        let cluster = self.topic()?;
        runtime(settings::check(&self.admin, &cluster, &self.options))?;
        let mut ends = Vec::new();
        let mut log: Option<Genesis> = None;
        for shard in 0..self.options.shards {
            let end = self.end(shard)?;
            ends.push(end);
            let genesis = self
                .first(shard, end)?
                .ok_or_else(|| KafkaError::NotInitialised { topic: self.options.topic.clone(), shard })?;
            match &log {
                None => {
                    self.matches(&genesis)?;
                    log = Some(genesis);
                }
                Some(first) if *first == genesis => {}
                Some(first) => {
                    let advice =
                        "the shards are of different logs; the topic was tampered with: use another one";
                    let (found, wanted) = (genesis.log_id.to_string(), first.log_id.to_string());
                    return Err(self.mismatch(&format!("log id of shard {shard}"), found, wanted, advice));
                }
            }
        }
        let genesis = log.ok_or(KafkaError::Read(ReadError::NoGenesis { shard: 0 }))?;
        Ok((genesis, ends))
    }

    fn initialised(&self) -> Result<Genesis, KafkaError> {
        let cluster = settings::cluster(self.consumer.client(), &self.options)?;
        if cluster.partitions.is_none() {
            let settings = settings::for_creation(cluster.brokers);
            let partitions = i32::from(self.options.shards);
            runtime(settings::create(&self.admin, &cluster, &self.options, partitions, &settings))?;
        }
        let cluster = self.created()?;
        runtime(settings::check(&self.admin, &cluster, &self.options))?;
        let writer = Writer::new(&self.options)?;
        let own = Genesis {
            log_id: Uuid::new_v4(),
            deployment: self.options.deployment.clone(),
            generation: 1,
            shards: self.options.shards,
            format: FORMAT,
        };
        // Of two initialisers the first wins: what stands at offset 0 of shard 0 is the log.
        let genesis = self.written(&writer, 0, &own)?;
        self.matches(&genesis)?;
        for shard in 1..self.options.shards {
            let copy = self.written(&writer, shard, &genesis)?;
            if copy != genesis {
                let advice = "the shards are of different logs; use another topic";
                let (found, wanted) = (copy.log_id.to_string(), genesis.log_id.to_string());
                return Err(self.mismatch(&format!("log id of shard {shard}"), found, wanted, advice));
            }
        }
        Ok(genesis)
    }

    /// What stands at offset 0 of `shard`, after `genesis` was written there if nothing did.
    fn written(&self, writer: &Writer, shard: u16, genesis: &Genesis) -> Result<Genesis, KafkaError> {
        let mut end = self.end(shard)?;
        if end == 0 {
            runtime(writer.append(shard, &[genesis.record()]))?;
            end = self.end(shard)?;
        }
        let found = self.first(shard, end)?;
        found.ok_or_else(|| KafkaError::NotInitialised { topic: self.options.topic.clone(), shard })
    }

    /// The topic with as many partitions as there are shards.
    fn topic(&self) -> Result<Cluster, KafkaError> {
        let cluster = settings::cluster(self.consumer.client(), &self.options)?;
        let Some(partitions) = cluster.partitions.as_ref().map(Vec::len) else {
            let (brokers, topic) = (self.options.brokers.clone(), self.options.topic.clone());
            return Err(KafkaError::NoTopic { brokers, topic });
        };
        if partitions == usize::from(self.options.shards) {
            return Ok(cluster);
        }
        let advice = "the number of shards never changes; configure the one that the topic has";
        Err(self.mismatch("shards", partitions.to_string(), self.options.shards.to_string(), advice))
    }

    /// The topic, once every broker's answer has it: a new one shows up little by little.
    fn created(&self) -> Result<Cluster, KafkaError> {
        let started = Instant::now();
        loop {
            match self.topic() {
                Err(KafkaError::NoTopic { .. }) if started.elapsed() < READ => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                told => return told,
            }
        }
    }

    /// Where `shard` ends. A new partition may have no leader yet.
    fn end(&self, shard: u16) -> Result<u64, KafkaError> {
        let started = Instant::now();
        loop {
            match self.consumer.fetch_watermarks(&self.options.topic, i32::from(shard), ASK) {
                Ok((0, end)) => return Ok(u64::try_from(end).unwrap_or(0)),
                Ok(_) => return Err(ReadError::NoGenesis { shard }.into()),
                Err(_) if started.elapsed() < READ => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => {
                    return Err(KafkaError::unreachable(&self.options, "asking where a shard ends", error));
                }
            }
        }
    }

    /// The first record of a shard that ends at `end`.
    fn first(&self, shard: u16, end: u64) -> Result<Option<Genesis>, KafkaError> {
        if end == 0 {
            return Ok(None);
        }
        let started = Instant::now();
        let failed = |error| KafkaError::unreachable(&self.options, "reading the first record", error);
        let mut scan = self.scans.start(shard, 0).map_err(failed)?;
        let record = loop {
            match scan.fetch(1, 1, ASK) {
                Ok(records) if !records.is_empty() => break records,
                Ok(_) | Err(_) if started.elapsed() < READ => {}
                Ok(_) => return Err(failed(ClientError::NoMessageReceived)),
                Err(error) => return Err(failed(error)),
            }
        };
        match record.first().filter(|record| record.offset == 0).map(|record| record.content(Kind::Genesis)) {
            Some(Ok(Content::Genesis(genesis))) => Ok(Some(genesis)),
            _ => Err(ReadError::NoGenesis { shard }.into()),
        }
    }

    /// Whether the log is the configured one.
    fn matches(&self, genesis: &Genesis) -> Result<(), KafkaError> {
        let options = &self.options;
        if genesis.deployment != options.deployment {
            let advice =
                "two deployments never share a topic; name another topic or correct the configuration";
            let wanted = options.deployment.clone();
            return Err(self.mismatch("deployment", genesis.deployment.clone(), wanted, advice));
        }
        if genesis.shards != options.shards {
            let advice = "the number of shards never changes; configure the one that the log has";
            let (found, wanted) = (genesis.shards.to_string(), options.shards.to_string());
            return Err(self.mismatch("shards", found, wanted, advice));
        }
        if genesis.format > FORMAT {
            let (found, wanted) = (genesis.format.to_string(), FORMAT.to_string());
            return Err(self.mismatch("format", found, wanted, "a newer release wrote it; run that one"));
        }
        Ok(())
    }

    fn mismatch(&self, field: &str, found: String, wanted: String, advice: &'static str) -> KafkaError {
        KafkaError::Mismatch {
            topic: self.options.topic.clone(),
            field: field.to_owned(),
            found,
            wanted,
            advice,
        }
    }
}

/// Waits for what the brokers answer; only on threads that may block.
fn runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(future)
}
