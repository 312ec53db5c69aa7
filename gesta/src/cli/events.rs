//! `gesta events`: the events of a running Gesta, as they are or as they come.

use clap::Args;
use futures_util::StreamExt as _;

use crate::client::{CallError, Client, Connection};
use crate::out;

/// Flags of `gesta events`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EventsArgs {
    /// Address of the second port of the process that owns the log.
    #[arg(long, env = "GESTA_OPS_URL", default_value = "http://127.0.0.1:7071", conflicts_with = "data")]
    pub(crate) url: String,
    /// Read the log in this data folder instead; its process must be stopped.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<std::path::PathBuf>,
    /// Where to begin: beginning, end, or the resumetoken of a line.
    #[arg(long, default_value = "beginning", value_name = "TOKEN")]
    pub(crate) from: String,
    /// Event types, separated by commas; one may end with *, for example gesta.work.task.*
    #[arg(long = "type", value_delimiter = ',', value_name = "TYPE,…")]
    pub(crate) types: Vec<String>,
    /// Only this subject, for example task/8e88a6c9-40b0-87c7-a154-418b24b15ccd.
    #[arg(long, value_name = "TYPE/ID")]
    pub(crate) subject: Option<String>,
    /// Only this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only this correlation id.
    #[arg(long, value_name = "ID")]
    pub(crate) correlation: Option<String>,
    /// Wait for further events until Ctrl-C.
    #[arg(long, short, conflicts_with = "data")]
    pub(crate) follow: bool,
}

/// Why the events could not be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventsError {
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The stream ended in the middle.
    #[error("the stream broke off: {0}; go on with --from and the resumetoken of the last line")]
    Broken(#[from] reqwest::Error),
    /// Standard output.
    #[error("the events could not be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Writes the events to standard output, one CloudEvent a line.
///
/// # Errors
/// [`EventsError`].
pub(crate) async fn run(args: &EventsArgs) -> Result<(), EventsError> {
    let connection = Connection {
        url: args.url.clone(),
        query_url: None,
        tenant: args.tenant.clone().unwrap_or_else(|| "default".into()),
        actor: "user/local".into(),
        patience: std::time::Duration::ZERO,
    };
    let mut query = vec![("from", args.from.clone())];
    query.extend((!args.types.is_empty()).then(|| ("type", args.types.join(","))));
    for (name, value) in
        [("subject", &args.subject), ("tenant", &args.tenant), ("correlation", &args.correlation)]
    {
        query.extend(value.clone().map(|value| (name, value)));
    }
    if args.follow {
        query.push(("follow", "true".into()));
    }
    let client = Client::new(&connection)?;
    let mut chunks = client.stream(&format!("{}/events", client.base()), &query).await?.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        out::octets(&chunk?)?;
    }
    Ok(())
}
