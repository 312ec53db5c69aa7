//! Configuration: defaults < file < environment < flags. Unknown keys are refused.

pub(crate) mod args;
mod load;
mod postgres_url;
mod show;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemas::upcast::{READS, Revisions, WRITES};
use serde::{Deserialize, Serialize};

pub(crate) use load::{SettingsError, load};
pub(crate) use postgres_url::PostgresUrl;
pub(crate) use show::lines;

/// Address of the service when none is asked for; a busy port moves on to the next free one.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
/// The same for health, metrics and the event stream.
pub(crate) const DEFAULT_OPS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7071);

/// Everything that can be configured.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Commands, queries, explorer.
    pub(crate) server: Server,
    /// Health, metrics, event stream.
    pub(crate) ops: Ops,
    /// Where the log is.
    pub(crate) log: LogPlace,
    /// The brokers, where the log is on Kafka.
    pub(crate) kafka: Kafka,
    /// The other processes that take commands, where the log is on Kafka.
    pub(crate) peers: Peers,
    /// The log's name and size, the embedded log itself, and the state kept of either.
    pub(crate) data: Data,
    /// The store of the read models.
    pub(crate) postgres: Postgres,
    /// The public topics, where the log is on Kafka.
    pub(crate) publisher: Publisher,
    /// How events are written.
    pub(crate) events: Events,
    /// What queues there are and how their tasks are executed.
    pub(crate) queues: Queues,
    /// Log lines of the process.
    pub(crate) logging: Logging,
}

/// Commands, queries, explorer.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// Address; absent = [`DEFAULT_LISTEN`] or the next free port.
    pub(crate) listen: Option<SocketAddr>,
}

/// Health, metrics, event stream.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ops {
    /// Address; absent = [`DEFAULT_OPS_LISTEN`] or the next free port.
    pub(crate) listen: Option<SocketAddr>,
}

/// Where the log is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogPlace {
    /// In files of one process.
    #[default]
    Embedded,
    /// On a topic that any number of processes share.
    Kafka,
}

/// The brokers of a log on Kafka.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Kafka {
    /// Addresses of brokers, `host:port`, separated by commas.
    pub(crate) brokers: Option<String>,
    /// The topic.
    pub(crate) topic: String,
    /// Further settings of librdkafka by their names; shown without their values.
    #[serde(serialize_with = "hidden")]
    pub(crate) settings: BTreeMap<String, String>,
}

impl Default for Kafka {
    fn default() -> Self {
        let topic = event_log::KafkaOptions::TOPIC.to_owned();
        Self { brokers: None, topic, settings: BTreeMap::new() }
    }
}

/// The other processes that take commands, where the log is on Kafka.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Peers {
    /// Where they reach this process's second port, `host:port`; absent = the address that it listens on.
    pub(crate) address: Option<String>,
    /// What they show each other; needed where the second port listens on more than loopback.
    #[serde(serialize_with = "secret")]
    pub(crate) secret: Option<String>,
    /// File that holds it, where `secret` is absent.
    pub(crate) secret_file: Option<PathBuf>,
}

fn secret<S: serde::Serializer>(secret: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "hidden").serialize(serializer)
}

/// One of the values may be a password.
fn hidden<S: serde::Serializer>(
    settings: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(settings.keys().map(|name| (name, "hidden")))
}

/// The log's name and size, the embedded log itself, and the state kept of either.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Data {
    /// Folder of the log and of the state that is kept of it.
    pub(crate) dir: PathBuf,
    /// Name of the deployment; a log belongs to one for ever.
    pub(crate) deployment: String,
    /// Number of shards of a new log.
    pub(crate) shards: u16,
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: ".gesta".into(), deployment: "dev".into(), shards: 8 }
    }
}

impl Data {
    /// Folder of the log's files.
    pub(crate) fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Folder of the state that is kept of the log; it may be removed while Gesta is stopped.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }
}

/// The store of the read models.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Postgres {
    /// Address with the role that owns the tables.
    pub(crate) url: Option<PostgresUrl>,
    /// File that holds the address, for mounted secrets.
    pub(crate) url_file: Option<PathBuf>,
    /// Most connections of the projections, and of the queries.
    pub(crate) max_connections: u32,
}

impl Default for Postgres {
    fn default() -> Self {
        Self { url: None, url_file: None, max_connections: 10 }
    }
}

/// The public topics, where the log is on Kafka.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Publisher {
    /// Whether the projections feed them.
    pub(crate) enabled: bool,
    /// What their names begin with: `<prefix>.<context>.events`.
    pub(crate) prefix: String,
    /// Partitions of each; never changes.
    pub(crate) partitions: u16,
    /// What becomes of fields that may hold personal data.
    pub(crate) personal: PersonalFields,
}

impl Default for Publisher {
    fn default() -> Self {
        use schemas::cloudevent::{TOPIC_PARTITIONS, TOPIC_PREFIX};
        let (prefix, partitions) = (TOPIC_PREFIX.to_owned(), TOPIC_PARTITIONS);
        Self { enabled: true, prefix, partitions, personal: PersonalFields::Withhold }
    }
}

/// What becomes of fields that may hold personal data, in the public topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PersonalFields {
    /// `[withheld]` stands in their place.
    Withhold,
    /// They are published as they are.
    Publish,
}

/// How events are written.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    /// Event type → the revision that is written of it; others are written as this release has them.
    pub(crate) write: BTreeMap<String, u32>,
}

impl Events {
    /// The revisions that this release reads, and those that it shall write.
    ///
    /// # Errors
    /// [`SettingsError::Value`] names a type that is unknown, or a revision that cannot be written.
    pub(crate) fn revisions(&self) -> Result<Revisions, SettingsError> {
        Revisions::choose(READS, WRITES, &self.write).map_err(|error| SettingsError::Value {
            key: "events.write",
            value: self.write.iter().map(|(kind, v)| format!("{kind} = {v}")).collect::<Vec<_>>().join(", "),
            problem: error.to_string(),
        })
    }
}

/// What queues there are.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Queues {
    /// Whether a queue that is not listed may be used.
    pub(crate) open: bool,
    /// Name → what its tasks have when their creator says nothing.
    pub(crate) named: BTreeMap<String, schemas::task::PolicyInput>,
}

impl Default for Queues {
    fn default() -> Self {
        Self { open: true, named: BTreeMap::new() }
    }
}

/// Log lines of the process.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Logging {
    /// `auto`, `json` or `text`; `auto` is text on a terminal.
    pub(crate) format: LogFormat,
    /// Least level, or directives such as `info,command_service=debug`; absent = `info`.
    pub(crate) level: Option<String>,
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: None }
    }
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}
