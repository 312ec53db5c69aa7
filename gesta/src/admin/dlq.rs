//! `gesta dlq`: the dead letters of the projections, for the operator: every tenant's.

use clap::{Args, Subcommand};
use migrations::dead_letters::{self, Which};
use serde_json::json;

use super::database;
use crate::cli::output::{OutputArgs, items};
use crate::out;
use crate::settings::args::SettingsArgs;
use crate::settings::load;

/// Most letters of one list.
const MAX_LIST: i64 = 1_000;

/// Flags of `gesta dlq`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum DlqCommand {
    /// List what is parked, each stream in its order.
    #[command(after_help = "Example:\n  gesta dlq list --projection task_list")]
    List(Box<ListArgs>),
    /// Have the projections try parked letters again: each stream in order, up to the first that cannot be read.
    #[command(
        after_help = "Examples:\n  gesta dlq redrive --dry-run\n  gesta dlq redrive --stream default/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd"
    )]
    Redrive(Box<RedriveArgs>),
}

#[derive(Debug, Clone, Args)]
struct WhichArgs {
    /// Only of this projection, such as task_list.
    #[arg(long, value_name = "NAME")]
    projection: Option<String>,
    /// Only of this stream, tenant/type/id.
    #[arg(long, value_name = "STREAM")]
    stream: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Args)]
struct ListArgs {
    /// Most letters.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=MAX_LIST))]
    first: i64,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Clone, Args)]
struct RedriveArgs {
    /// Say what would be tried, and leave it.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl WhichArgs {
    fn which(&self) -> Which {
        Which { projection: self.projection.clone(), stream: self.stream.clone() }
    }
}

const COLUMNS: &[(&str, &str)] = &[
    ("projection", "/projection"),
    ("stream", "/stream"),
    ("version", "/version"),
    ("type", "/type"),
    ("kind", "/kind"),
    ("stage", "/stage"),
    ("error", "/error"),
    ("attempts", "/attempts"),
    ("parked at", "/parkedAt"),
];

/// Lists or redrives dead letters.
///
/// # Errors
/// When no database is configured, or it cannot be asked.
pub(crate) async fn run(args: &DlqArgs) -> anyhow::Result<()> {
    match &args.command {
        DlqCommand::List(list) => show(&list.which, list.first, list.output).await,
        DlqCommand::Redrive(redrive) if redrive.dry_run => {
            show(&redrive.which, MAX_LIST, redrive.output).await
        }
        DlqCommand::Redrive(redrive) => {
            let pool = migrations::projector_pool(database(&load(&redrive.which.settings)?)?, 1)?;
            let letters = dead_letters::redrive(&pool, &redrive.which.which()).await?;
            out::line(format_args!("{letters} letters are tried again by the projections, when they run"))?;
            Ok(())
        }
    }
}

async fn show(which: &WhichArgs, max: i64, output: OutputArgs) -> anyhow::Result<()> {
    let pool = migrations::projector_pool(database(&load(&which.settings)?)?, 1)?;
    let letters = dead_letters::parked(&pool, &which.which(), max).await?;
    let letters: Vec<_> = letters.iter().map(|letter| json!(letter)).collect();
    Ok(items(output.output, &letters, COLUMNS)?)
}
