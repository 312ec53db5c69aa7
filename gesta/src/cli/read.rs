//! `list` and `get`: reads, as GraphQL queries.

use clap::Args;
use serde_json::{Map, Value, json};

use super::output::{self, Format};
use crate::client::{CallError, Client};

/// Most items of one page.
const MAX_PAGE: u32 = 100;

/// Flags of `list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// Most items.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    pub(crate) first: u32,
    /// Go on behind this cursor, which the page before gave.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// Only this queue (tasks).
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// Only this state, for example queued (tasks) or executing (agents).
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Answer only when the read models include this position, which a command answered.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) position: Option<String>,
}

/// What can be listed and got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tasks.
    Task,
    /// Agents.
    Agent,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Nothing has this id.
    #[error(
        "there is no {kind} with the id {id} for this tenant (or the read models are behind: give --position)"
    )]
    NotFound {
        /// Task or agent.
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// Standard output.
    #[error("the result could not be written: {0}")]
    Output(#[from] std::io::Error),
}

const TASKS: &str =
    "query Tasks($first: Int, $after: String, $filter: TaskFilter, $position: ConsistencyToken) {
  tasks(first: $first, after: $after, filter: $filter, atLeast: $position) {
    nodes { id queue kind title priority state progress attempt worker createdAt updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}";

const AGENTS: &str =
    "query Agents($first: Int, $after: String, $filter: AgentFilter, $position: ConsistencyToken) {
  agents(first: $first, after: $after, filter: $filter, atLeast: $position) {
    nodes { id label kind state availability aliveUntil spawnedAt }
    pageInfo { hasNextPage endCursor }
  }
}";

const TASK: &str = "query Task($id: ID!, $position: ConsistencyToken) {
  task(id: $id, atLeast: $position) { id queue kind title description priority state status progress progressNote
    attempt maxAttempts worker lease { id fencingToken expiresAt } payload result failure { stage reason error }
    nextRunAt createdBy createdAt updatedAt completedAt version position }
}";

const AGENT: &str = "query Agent($id: ID!, $position: ConsistencyToken) {
  agent(id: $id, atLeast: $position) { id label kind model state status availability leases aliveUntil task capabilities roles
    runtimeSeconds retryCount summary lastError spawnedAt updatedAt completedAt version position }
}";

impl Kind {
    fn documents(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Task => ("task", "tasks", TASK, TASKS),
            Self::Agent => ("agent", "agents", AGENT, AGENTS),
        }
    }

    fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Task => &[
                ("id", "/id"),
                ("queue", "/queue"),
                ("type", "/kind"),
                ("title", "/title"),
                ("state", "/state"),
                ("%", "/progress"),
                ("attempt", "/attempt"),
                ("worker", "/worker"),
            ],
            Self::Agent => &[
                ("id", "/id"),
                ("label", "/label"),
                ("kind", "/kind"),
                ("state", "/state"),
                ("availability", "/availability"),
                ("alive until", "/aliveUntil"),
            ],
        }
    }
}

/// Lists tasks or agents.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn list(
    client: &Client,
    kind: Kind,
    args: &ListArgs,
    format: Format,
) -> Result<(), ReadError> {
    let (_, collection, _, document) = kind.documents();
    let mut filter = Map::new();
    filter.extend(args.queue.clone().map(|queue| ("queue".to_owned(), json!([queue]))));
    filter.extend(args.state.clone().map(|state| ("state".to_owned(), json!([state.to_ascii_uppercase()]))));
    let variables =
        json!({ "first": args.first, "after": args.after, "filter": filter, "position": args.position });
    let page = client.query(document, variables).await?[collection].take();
    let nodes = page["nodes"].as_array().cloned().unwrap_or_default();
    output::items(format, &nodes, kind.columns())?;
    if format == Format::Table && page.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
        let cursor = page.pointer("/pageInfo/endCursor").and_then(Value::as_str).unwrap_or_default();
        crate::out::line(format_args!("more: --after {cursor}"))?;
    }
    Ok(())
}

/// Shows one task or agent.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn get(
    client: &Client,
    kind: Kind,
    id: &str,
    position: Option<&str>,
    format: Format,
) -> Result<(), ReadError> {
    let (field, _, document, _) = kind.documents();
    let found = client.query(document, json!({ "id": id, "position": position })).await?[field].take();
    if found.is_null() {
        return Err(ReadError::NotFound { kind: field, id: id.to_owned() });
    }
    output::object(format, &found)?;
    Ok(())
}
