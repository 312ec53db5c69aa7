//! `gesta dlq`: the dead letters of the projections, for the operator: every tenant's.

use clap::{Args, Subcommand};
use migrations::DeadLettersRow;
use migrations::dead_letters::{self, Which};
use serde_json::{Value, json};
use uuid::Uuid;

use super::database;
use crate::cli::output::{OutputArgs, items, object};
use crate::client::{Client, Connection};
use crate::out;
use crate::settings::args::{PEOPLE_PATIENCE, SettingsArgs};
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
    /// Show one letter with its event, whatever became of it.
    #[command(after_help = "Example:\n  gesta dlq show 0c1f6a52-2d0a-1d66-6c1b-6b0d0f3c7a11 --output json")]
    Show(Box<ShowArgs>),
    /// Have the projections try parked letters again: each stream in order, up to the first that cannot be read.
    #[command(
        after_help = "Examples:\n  gesta dlq redrive --dry-run\n  gesta dlq redrive --stream default/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd"
    )]
    Redrive(Box<RedriveArgs>),
    /// Give an event up for one projection, for good; those that wait behind it go on.
    #[command(
        after_help = "Example:\n  gesta dlq discard 0c1f6a52-2d0a-8d66-ac1b-6b0d0f3c7a11 --reason \"written by a build that was withdrawn\""
    )]
    Discard(Box<DiscardArgs>),
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
struct ShowArgs {
    /// Id of the letter, as `list` shows it.
    id: Uuid,
    #[command(flatten)]
    settings: SettingsArgs,
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

#[derive(Debug, Clone, Args)]
struct DiscardArgs {
    /// Id of the letter, as `list` shows it.
    id: Uuid,
    /// Why; it stands on the letter and in the log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Address of Gesta.
    #[arg(long, env = "GESTA_URL", default_value = "http://127.0.0.1:7070", help_heading = "Connection")]
    url: String,
    /// Who acts, as kind/id.
    #[arg(
        long,
        env = "GESTA_ACTOR",
        value_name = "KIND/ID",
        default_value = "user/local",
        help_heading = "Connection"
    )]
    actor: String,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl WhichArgs {
    fn which(&self) -> Which {
        Which { projection: self.projection.clone(), stream: self.stream.clone() }
    }
}

const COLUMNS: &[(&str, &str)] = &[
    ("id", "/id"),
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

/// Lists, shows, redrives or discards dead letters.
///
/// # Errors
/// When no database is configured, it cannot be asked, no letter has the id, or the command is refused.
pub(crate) async fn run(args: &DlqArgs) -> anyhow::Result<()> {
    match &args.command {
        DlqCommand::List(list) => parked(&list.which, list.first, list.output).await,
        DlqCommand::Show(show) => one(show).await,
        DlqCommand::Discard(discard) => give_up(discard).await,
        DlqCommand::Redrive(redrive) if redrive.dry_run => {
            parked(&redrive.which, MAX_LIST, redrive.output).await
        }
        DlqCommand::Redrive(redrive) => {
            let pool = migrations::projector_pool(database(&load(&redrive.which.settings)?)?, 1)?;
            let letters = dead_letters::redrive(&pool, &redrive.which.which()).await?;
            out::line(format_args!("{letters} letters are tried again by the projections, when they run"))?;
            Ok(())
        }
    }
}

async fn parked(which: &WhichArgs, max: i64, output: OutputArgs) -> anyhow::Result<()> {
    let pool = migrations::projector_pool(database(&load(&which.settings)?)?, 1)?;
    let letters = dead_letters::parked(&pool, &which.which(), max).await?;
    let letters: Vec<_> = letters.iter().map(|letter| json!(letter)).collect();
    Ok(items(output.output, &letters, COLUMNS)?)
}

async fn find(id: Uuid, settings: &SettingsArgs) -> anyhow::Result<DeadLettersRow> {
    let pool = migrations::projector_pool(database(&load(settings)?)?, 1)?;
    let Some(letter) = dead_letters::find(&pool, id).await? else {
        anyhow::bail!(
            "there is no dead letter with the id {id}; `gesta dlq list` shows those that are parked"
        )
    };
    Ok(letter)
}

/// The command takes the tenant and the projection of the letter, so that nobody names another one's.
async fn give_up(discard: &DiscardArgs) -> anyhow::Result<()> {
    let letter = find(discard.id, &discard.settings).await?;
    if letter.state != "parked" {
        anyhow::bail!("the dead letter {} is {} already; nothing is discarded", letter.id, letter.state)
    }
    let connection = Connection {
        url: discard.url.clone(),
        query_url: None,
        tenant: letter.tenant.clone(),
        actor: discard.actor.clone(),
        patience: PEOPLE_PATIENCE,
    };
    let (path, key) = (format!("dead-letters/{}/discard", letter.id), Uuid::new_v4().to_string());
    let body = json!({ "projection": letter.projection, "reason": discard.reason });
    let reply = Client::new(&connection)?.command(&path, &key, &body).await?;
    Ok(object(discard.output.output, &reply.body)?)
}

async fn one(show: &ShowArgs) -> anyhow::Result<()> {
    let letter = find(show.id, &show.settings).await?;
    let event = serde_json::from_str(&letter.event).unwrap_or_else(|_| Value::from(letter.event.clone()));
    let mut letter = json!(letter);
    letter["event"] = event;
    Ok(object(show.output.output, &letter)?)
}
