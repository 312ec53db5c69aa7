//! `gesta log`: makes the log's topic on Kafka, and looks at a log of either kind without changing it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use event_log::{Log, Publisher, ReadError, Report, ShardReport, VoidRecord};
use serde_json::{Value, json};

use super::events::log_dir;
use crate::cli::output::{Format, OutputArgs, items, object};
use crate::out;
use crate::roles::log::{kafka, public_topics};
use crate::settings::args::SettingsArgs;
use crate::settings::{LogPlace, Settings, load};

/// Flags of `gesta log`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum LogCommand {
    /// Read every record and say whether the log is whole; on Kafka also compare every setting of its topic and of the
    /// public topics, and whose events those hold.
    #[command(
        after_help = "Examples:\n  gesta log check --data .gesta\n  gesta log check --kafka-brokers 127.0.0.1:9092\n\n\
        Exit code 8 means that the log is damaged; the place is named. The process of an embedded log must be stopped."
    )]
    Check(Box<Which>),
    /// Make the log's topic on Kafka with its settings, and the public topics; safe to repeat.
    #[command(
        after_help = "Example:\n  gesta log init --kafka-brokers 127.0.0.1:9092 --set data.deployment=prod\n\n\
        Public topics are made beside an empty log; beside another the publisher makes those that are missing, and\n\
        publishes everything on them."
    )]
    Init(Box<SettingsArgs>),
    /// Say what the log is and where its shards end.
    #[command(
        after_help = "Examples:\n  gesta log show --data .gesta --output json\n  gesta log show --void --kafka-brokers 127.0.0.1:9092"
    )]
    Show(Box<Show>),
}

#[derive(Debug, Clone, Args)]
struct Which {
    /// Folder of an embedded log, or the data folder around it [default: the configured log].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Clone, Args)]
struct Show {
    /// List the records that do not count, which a stale owner or a foreign writer left; reads the whole log.
    #[arg(long)]
    void: bool,
    #[command(flatten)]
    which: Which,
}

/// Where a shard ends that holds nothing but its name.
const ONLY_GENESIS: u64 = 1;

/// Where a log is.
enum Place {
    Files(PathBuf),
    Topic(Box<Settings>),
}

impl Which {
    fn place(&self) -> anyhow::Result<Place> {
        if let Some(dir) = &self.data {
            return Ok(Place::Files(log_dir(dir)));
        }
        let settings = load(&self.settings)?;
        let named = self.settings.kafka_brokers.is_some() || settings.log == LogPlace::Kafka;
        let files = || log_dir(&settings.data.dir);
        Ok(if named { Place::Topic(Box::new(settings)) } else { Place::Files(files()) })
    }
}

/// Runs `gesta log`.
///
/// # Errors
/// When the log cannot be opened, is damaged, or its topic has other settings.
pub(crate) async fn run(args: &LogArgs) -> anyhow::Result<()> {
    match &args.command {
        LogCommand::Init(settings) => init(settings).await,
        LogCommand::Check(which) => {
            let format = which.output.output;
            match which.place()? {
                Place::Files(dir) => report(event_log::check, dir, format).await?,
                Place::Topic(settings) => check_topic(&settings, format).await?,
            }
            if format == Format::Table {
                out::line("the log is whole")?;
            }
            Ok(())
        }
        LogCommand::Show(show) if show.void => void(&show.which).await,
        LogCommand::Show(show) => {
            let format = show.which.output.output;
            match show.which.place()? {
                Place::Files(dir) => report(event_log::show, dir, format).await,
                Place::Topic(settings) => {
                    let log = Log::kafka(kafka(&settings)).await?;
                    let end = |shard| json!({ "shard": shard, "end": log.end(shard) });
                    print_topic(&log, (0..log.genesis().shards).map(end).collect(), None, format)
                }
            }
        }
    }
}

type Look = fn(&Path) -> Result<Report, event_log::OpenError>;

async fn report(look: Look, dir: PathBuf, format: Format) -> anyhow::Result<()> {
    let report = tokio::task::spawn_blocking(move || look(&dir)).await??;
    print(&report, format)?;
    readable(&report.shards)
}

fn readable(shards: &[ShardReport]) -> anyhow::Result<()> {
    let unreadable = shards.iter().find_map(|shard| Some((shard.shard, shard.unreadable?)));
    let Some((shard, offset)) = unreadable else { return Ok(()) };
    let problem = "its form is unknown".to_owned();
    Err(ReadError::Unreadable { shard, offset, part: "value", problem }.into())
}

/// Opening compares every setting of the topic; then every record is read.
async fn check_topic(settings: &Settings, format: Format) -> anyhow::Result<()> {
    let log = Log::kafka(kafka(settings)).await?;
    let missing = match public_topics(settings) {
        Some(topics) => Publisher::check(topics, &log).await?,
        None => Vec::new(),
    };
    let mut shards = Vec::new();
    for shard in 0..log.genesis().shards {
        shards.push(log.inspect(shard, |_| {}).await?);
    }
    let values = shards.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    print_topic(&log, values, Some(&missing), format)?;
    if format == Format::Table {
        tell_missing(&missing)?;
    }
    readable(&shards)
}

/// Lists what does not count.
async fn void(which: &Which) -> anyhow::Result<()> {
    let log = match which.place()? {
        Place::Files(dir) => tokio::task::spawn_blocking(move || Log::open_read_only(&dir)).await??,
        Place::Topic(settings) => Log::kafka(kafka(&settings)).await?,
    };
    let mut found: Vec<VoidRecord> = Vec::new();
    for shard in 0..log.genesis().shards {
        log.inspect(shard, |record| found.push(record)).await?;
    }
    let rows: Vec<Value> = found.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    let columns = [
        ("shard", "/shard"),
        ("offset", "/offset"),
        ("kind", "/kind"),
        ("epoch", "/epoch"),
        ("sequence", "/seq"),
        ("instead of", "/wanted"),
        ("bytes", "/bytes"),
    ];
    Ok(items(which.output.output, &rows, &columns)?)
}

/// Makes the topics, and compares every setting as a role would that opens them.
async fn init(args: &SettingsArgs) -> anyhow::Result<()> {
    let settings = load(args)?;
    let options = kafka(&settings);
    let genesis = Log::kafka_init(options.clone()).await?;
    let log = Log::kafka(options).await?;
    object(Format::Table, &serde_json::to_value(genesis)?)?;
    let Some(topics) = public_topics(&settings) else { return Ok(()) };
    let missing = Publisher::check(topics.clone(), &log).await?;
    // Who makes a topic beside a log with commits owes it all of them, which only the publisher can move its cursor for.
    if (0..log.genesis().shards).all(|shard| log.end(shard) == ONLY_GENESIS) {
        Publisher::open(topics).await?;
        return Ok(());
    }
    tell_missing(&missing)
}

fn tell_missing(topics: &[String]) -> anyhow::Result<()> {
    for topic in topics {
        out::line(format!(
            "public topic {topic} is not there; the publisher makes it and publishes everything on it"
        ))?;
    }
    Ok(())
}

fn print_topic(
    log: &Log,
    shards: Vec<Value>,
    missing: Option<&[String]>,
    format: Format,
) -> anyhow::Result<()> {
    if format == Format::Json {
        let mut value = json!({ "genesis": log.genesis(), "shards": shards });
        if let Some(missing) = missing {
            value["missingTopics"] = missing.into();
        }
        return Ok(object(format, &value)?);
    }
    if format == Format::Table {
        object(format, &serde_json::to_value(log.genesis())?)?;
    }
    print_shards(&shards, format)
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let value = serde_json::to_value(report)?;
    if format == Format::Json {
        return Ok(object(format, &value)?);
    }
    let rows = |name: &str| value[name].as_array().cloned().unwrap_or_default();
    if format == Format::Table {
        object(format, &json!({ "genesis": value["genesis"] })["genesis"])?;
        if let Value::Object(_) = &value["cut"] {
            out::line("behind the last confirmed round, as after a power cut; the next start cuts it:")?;
            object(format, &value["cut"])?;
        }
        let columns =
            [("segment", "/number"), ("file", "/file"), ("ends at byte", "/end"), ("records", "/records")];
        items(format, &rows("segments"), &columns)?;
    }
    print_shards(&rows("shards"), format)
}

fn print_shards(shards: &[Value], format: Format) -> anyhow::Result<()> {
    let columns = [
        ("shard", "/shard"),
        ("ends at", "/end"),
        ("epoch", "/epoch"),
        ("last counted", "/lastCounted"),
        ("void", "/void"),
    ];
    Ok(items(format, shards, &columns)?)
}
