//! How a log on Kafka is opened, and why it may not be.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use uuid::Uuid;

use crate::handle::AppendError;
use crate::reader::ReadError;

/// Settings of the client that keep the log safe; nobody else may set them.
const OURS: &[&str] = &[
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "check.crcs",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "partitioner",
    "request.required.acks",
    "transactional.id",
];

/// How soon another leader is found, whatever became of the former one. librdkafka's own values are made for clusters
/// that lose none: 60 s, 5 minutes, 10 s.
const LEADERS: [(&str, &str); 4] = [
    // A broker that falls silent without closing its connections keeps a request for so long, and its shards move to
    // another leader only when nothing of them is in flight. Below the brokers' usual session timeout (9 s), so that
    // nothing is once they elected one.
    ("socket.timeout.ms", "6000"),
    // Nobody tells that a silent broker leads no more.
    ("topic.metadata.refresh.interval.ms", "1000"),
    // Else three times the refresh interval: in an outage the client would forget the topic.
    ("metadata.max.age.ms", "900000"),
    ("reconnect.backoff.max.ms", "1000"),
];

/// How a log on Kafka is reached.
#[derive(Clone)]
pub struct KafkaOptions {
    /// Addresses of brokers, `host:port`, separated by commas.
    pub brokers: String,
    /// Name of the deployment; must be the one that the log was initialised for.
    pub deployment: String,
    /// Number of shards, the partitions of the topic; must be the one that the log was initialised with.
    pub shards: u16,
    /// The topic.
    pub topic: String,
    /// Further settings of librdkafka, such as `security.protocol` or `sasl.password`, by their names.
    pub settings: BTreeMap<String, String>,
    /// Most bytes of recent records kept in memory for readers at the end, all shards together.
    pub tail_bytes: usize,
}

impl KafkaOptions {
    /// Default of [`topic`](Self::topic).
    pub const TOPIC: &'static str = "gesta.log";
    /// Default of [`tail_bytes`](Self::tail_bytes): 32 MiB.
    pub const TAIL_BYTES: usize = 32 * 1024 * 1024;

    /// Options with the default topic and no further settings.
    #[must_use]
    pub fn new(brokers: &str, deployment: &str, shards: u16) -> Self {
        Self {
            brokers: brokers.to_owned(),
            deployment: deployment.to_owned(),
            shards,
            topic: Self::TOPIC.to_owned(),
            settings: BTreeMap::new(),
            tail_bytes: Self::TAIL_BYTES,
        }
    }

    /// What every client of the log has in common.
    pub(super) fn client(&self) -> Result<ClientConfig, KafkaError> {
        self.check()?;
        let mut config = ClientConfig::new();
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        self.prefer(&mut config, &[("client.id", "gesta")]);
        self.prefer(&mut config, &LEADERS);
        Ok(config)
    }

    /// Sets what the settings of the options leave open.
    pub(super) fn prefer(&self, config: &mut ClientConfig, defaults: &[(&str, &str)]) {
        for (name, value) in defaults.iter().filter(|(name, _)| !self.settings.contains_key(*name)) {
            config.set(*name, *value);
        }
    }

    fn check(&self) -> Result<(), KafkaError> {
        use crate::embedded::EmbeddedOptions as Limits;
        let refuse = |field: &str, value: &str, problem: String| {
            Err(KafkaError::Option { field: field.to_owned(), value: value.to_owned(), problem })
        };
        if self.brokers.trim().is_empty() {
            return refuse("brokers", &self.brokers, "name at least one broker, host:port".to_owned());
        }
        if self.shards == 0 || self.shards > Limits::MAX_SHARDS {
            let problem = format!("1 to {} are", Limits::MAX_SHARDS);
            return refuse("shards", &self.shards.to_string(), problem);
        }
        if self.deployment.is_empty() || self.deployment.len() > Limits::MAX_DEPLOYMENT_BYTES {
            let problem = format!("it has 1 to {} bytes", Limits::MAX_DEPLOYMENT_BYTES);
            return refuse("deployment", &self.deployment, problem);
        }
        match self.settings.iter().find(|(name, _)| OURS.contains(&name.as_str())) {
            Some((name, value)) => {
                refuse(name, value, "what keeps the log safe is not to be set; leave it out".to_owned())
            }
            None => Ok(()),
        }
    }
}

/// Without the values of the settings: one of them may be a password.
impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaOptions")
            .field("brokers", &self.brokers)
            .field("deployment", &self.deployment)
            .field("shards", &self.shards)
            .field("topic", &self.topic)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .field("tail_bytes", &self.tail_bytes)
            .finish()
    }
}

/// Why a log on Kafka was not opened, initialised or found whole. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The options cannot be served.
    #[error("{field} = {value} is not possible: {problem}")]
    Option {
        /// The field of the options, or the setting of the client.
        field: String,
        /// Its value.
        value: String,
        /// What is possible.
        problem: String,
    },
    /// The brokers do not answer, or refuse this client. Trying again may help.
    #[error(
        "Kafka at {brokers}: {action} failed: {error}; check that the brokers run, and the settings to reach them"
    )]
    Unreachable {
        /// Where it was tried.
        brokers: String,
        /// What was tried.
        action: &'static str,
        /// What the client said.
        error: ClientError,
    },
    /// The brokers and this client do not trust each other. Trying again helps once one of them is set right.
    #[error("Kafka at {brokers}: {why}")]
    Refused {
        /// Where it was tried.
        brokers: String,
        /// What the client said, and which settings to check.
        why: String,
    },
    /// There is no such topic.
    #[error(
        "Kafka at {brokers} has no topic {topic}; run `gesta log init`, or name the topic of an existing log"
    )]
    NoTopic {
        /// The brokers.
        brokers: String,
        /// The topic.
        topic: String,
    },
    /// A shard was never initialised.
    #[error("shard {shard} of topic {topic} holds no record; run `gesta log init`, which completes it")]
    NotInitialised {
        /// The topic.
        topic: String,
        /// The shard.
        shard: u16,
    },
    /// A setting of the topic, the cluster or the client would let the log lose or reorder records.
    #[error("{holder}: {setting} is {found}, but must be {wanted}; {advice}")]
    Setting {
        /// What has the setting: the topic, a broker or this client.
        holder: String,
        /// Its exact name.
        setting: String,
        /// Its value.
        found: String,
        /// What it must be.
        wanted: String,
        /// What to do.
        advice: &'static str,
    },
    /// The log is not the one that was meant.
    #[error("topic {topic}: {field} of the log is {found}, but {wanted} is configured; {advice}")]
    Mismatch {
        /// The topic.
        topic: String,
        /// `deployment`, `shards`, `format`, or `log id` of one shard.
        field: String,
        /// What the log says.
        found: String,
        /// What was asked for.
        wanted: String,
        /// What to do.
        advice: &'static str,
    },
    /// A public topic holds what was published from another log.
    #[error(
        "topic {topic}: the record at offset {offset} of partition {partition} was not published from log {log}; \
         another deployment publishes there, or did: set another publisher.prefix, or, if the log was made anew, \
         delete the public topics, which are then published again"
    )]
    OtherLog {
        /// The topic.
        topic: String,
        /// Its partition.
        partition: i32,
        /// The last record there.
        offset: i64,
        /// The log of this process.
        log: Uuid,
    },
    /// The first record of a shard was not confirmed. Initialising again finds out, and completes it.
    #[error("the first record was not confirmed: {0}; run `gesta log init` again")]
    Append(#[from] AppendError),
    /// A shard cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl KafkaError {
    pub(super) fn unreachable(options: &KafkaOptions, action: &'static str, error: ClientError) -> Self {
        Self::Unreachable { brokers: options.brokers.clone(), action, error }
    }

    /// Whether the same call may succeed later: the brokers were away, or too busy, or did not know this client's
    /// name or certificate yet.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        let error = match self {
            Self::Unreachable { error, .. } => error,
            Self::Refused { .. } => return true,
            _ => return false,
        };
        !matches!(error, ClientError::ClientConfig(..) | ClientError::ClientCreation(_))
            && !matches!(
                error.rdkafka_error_code(),
                Some(
                    RDKafkaErrorCode::TopicAuthorizationFailed
                        | RDKafkaErrorCode::ClusterAuthorizationFailed
                        | RDKafkaErrorCode::InvalidTopic
                )
            )
    }
}
