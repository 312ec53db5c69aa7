//! `gesta log`: looks at the log of a stopped Gesta and changes nothing.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use event_log::Report;
use serde_json::{Value, json};

use super::events::log_dir;
use crate::cli::output::{Format, OutputArgs, items, object};
use crate::out;
use crate::roles::log::kafka;
use crate::settings::LogPlace;
use crate::settings::args::SettingsArgs;
use crate::settings::load;

/// Flags of `gesta log`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum LogCommand {
    /// Read every record and say whether the log is whole.
    #[command(
        after_help = "Example:\n  gesta log check --data .gesta\n\nExit code 8 means that the log is damaged; file and place are named."
    )]
    Check(Which),
    /// Make the log's topic on Kafka with its settings; safe to repeat.
    #[command(
        after_help = "Example:\n  gesta log init --kafka-brokers 127.0.0.1:9092 --set data.deployment=prod"
    )]
    Init(Box<SettingsArgs>),
    /// Say what the log is and where its shards end.
    #[command(after_help = "Example:\n  gesta log show --data .gesta --output json")]
    Show(Which),
}

#[derive(Debug, Clone, Args)]
struct Which {
    /// Data folder, or the folder of the log itself; its process must be stopped.
    #[arg(long, env = "GESTA_DATA_DIR", default_value = ".gesta", value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `gesta log`.
///
/// # Errors
/// When the log cannot be opened or is damaged.
pub(crate) async fn run(args: &LogArgs) -> anyhow::Result<()> {
    let (which, look): (_, fn(&std::path::Path) -> _) = match &args.command {
        LogCommand::Init(settings) => return init(settings).await,
        LogCommand::Check(which) => (which, event_log::check),
        LogCommand::Show(which) => (which, event_log::show),
    };
    let dir = log_dir(&which.data);
    let report = tokio::task::spawn_blocking(move || look(&dir)).await??;
    let format = which.output.output;
    print(&report, format)?;
    let unreadable = report.shards.iter().find_map(|shard| Some((shard.shard, shard.unreadable?)));
    if let Some((shard, offset)) = unreadable {
        return Err(event_log::ReadError::Unreadable {
            shard,
            offset,
            part: "value",
            problem: "its form is unknown".to_owned(),
        }
        .into());
    }
    if let (LogCommand::Check(_), Format::Table) = (&args.command, format) {
        out::line("the log is whole")?;
    }
    Ok(())
}

/// Makes the topic, and then opens it as a role would, which compares every setting.
async fn init(args: &SettingsArgs) -> anyhow::Result<()> {
    let mut settings = load(args)?;
    settings.log = LogPlace::Kafka;
    let options = kafka(&settings);
    let genesis = event_log::Log::kafka_init(options.clone()).await?;
    event_log::Log::kafka(options).await?;
    Ok(object(Format::Table, &serde_json::to_value(genesis)?)?)
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
    let columns = [
        ("shard", "/shard"),
        ("ends at", "/end"),
        ("epoch", "/epoch"),
        ("last counted", "/lastCounted"),
        ("void", "/void"),
    ];
    Ok(items(format, &rows("shards"), &columns)?)
}
