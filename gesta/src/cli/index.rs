//! `gesta index`: a repository's files, cut into chunks by the workers of a queue.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bar::Bar;
use super::plan::{self, Plan, PlanError};
use crate::client::{CallError, Client};
use crate::out;
use crate::settings::args::ConnectionArgs;
use crate::worker::index::{Indexed, Order, hex};

/// Time between two looks at how far the work is.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long no task may begin or end before that is said.
const STANDSTILL: Duration = Duration::from_secs(10);
/// Commands that are sent at the same time.
const AT_ONCE: usize = 8;

/// Flags of `gesta index`.
#[derive(Debug, Clone, Args)]
pub(crate) struct IndexArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// Folder of the repository; the workers must see it under the same path.
    #[arg(default_value = ".", value_name = "PATH")]
    path: PathBuf,
    /// Name of the repository; the same name again indexes what changed [default: that of the folder].
    #[arg(long)]
    name: Option<String>,
    /// Queue that the workers claim from.
    #[arg(long, default_value = "index")]
    queue: String,
}

/// Why a repository was not indexed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// The repository.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The calls.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Standard output.
    #[error("the result could not be written: {0}")]
    Output(#[from] std::io::Error),
    /// The answer of a query lacks what was asked for.
    #[error("the answer of the query cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// The folder has no name.
    #[error("{} has no name of its own; give one with --name", .0.display())]
    Nameless(PathBuf),
    /// What is indexed there is never found.
    #[error("the repository {0} was retired, so no search finds its files; index under another --name")]
    Retired(String),
    /// Some tasks did not succeed.
    #[error(
        "{failed} of {all} tasks did not succeed; the first says: {first}. What was indexed stays; run it again"
    )]
    Failed {
        /// How many.
        failed: usize,
        /// All tasks.
        all: usize,
        /// Why.
        first: String,
    },
    /// Stopped before the end.
    #[error("stopped; the tasks go on, and the same command shows what is left")]
    Stopped,
}

const STATE: &str = "query Repository($id: ID!, $position: ConsistencyToken) {
  repository(id: $id, atLeast: $position) { state }
}";

const TASKS: &str = "query Tasks($run: String!) {
  tasks(first: 100, filter: { correlationId: $run }) { nodes { state result failure { reason error } } }
}";

const FILES: &str = "query Files($filter: SourceFileFilter, $after: String) {
  sourceFiles(first: 100, after: $after, filter: $filter) {
    nodes { id path }
    pageInfo { hasNextPage endCursor }
  }
}";

/// States in which a task is on its way.
const ON_ITS_WAY: [&str; 5] = ["PENDING", "QUEUED", "ASSIGNED", "RUNNING", "RETRY_WAIT"];

/// Registers the repository, has its files indexed, and removes the files that are no more.
///
/// # Errors
/// [`IndexError`].
pub(crate) async fn run(
    client: &Client,
    args: &IndexArgs,
    stop: CancellationToken,
) -> Result<(), IndexError> {
    tokio::select! {
        done = index(client, args) => done,
        () = stop.cancelled() => Err(IndexError::Stopped),
    }
}

async fn index(client: &Client, args: &IndexArgs) -> Result<(), IndexError> {
    let begun = Instant::now();
    let path = args.path.clone();
    let planned =
        tokio::task::spawn_blocking(move || plan::make(&path).map(|plan| (commit(&plan.repo), plan)));
    let (commit, plan) = planned.await.map_err(|error| PlanError::Broken(error.to_string()))??;
    let named = args.name.clone().or_else(|| Some(plan.repo.file_name()?.to_string_lossy().into_owned()));
    let name = named.ok_or_else(|| IndexError::Nameless(plan.repo.clone()))?;
    // A name may have characters that a key must not have.
    let key = format!("repository-{}", hex(name.as_bytes()));
    let registered = client.command("repositories", &key, &json!({ "name": name })).await?;
    let id = registered.body["aggregateId"].as_str().unwrap_or_default().to_owned();
    let asked = json!({ "id": id, "position": registered.body["position"] });
    if client.query(STATE, asked).await?["repository"]["state"] == "RETIRED" {
        return Err(IndexError::Retired(name));
    }
    let at = commit.as_deref().unwrap_or("no commit: no git repository, or its files changed since");
    out::line(format_args!("repository {name} ({id}), {} files, {at}", plan.files.len()))?;
    let run = Uuid::new_v4().to_string();
    create(client, args, &plan, &registered.body["aggregateId"], commit.as_deref(), &run).await?;
    let result = watch(client, &args.queue, plan.orders.len(), &run).await?;
    let removed = remove_others(client, &id, &plan.files).await?;
    say(&result, removed, begun.elapsed())
}

async fn create(
    client: &Client,
    args: &IndexArgs,
    plan: &Plan,
    repository: &Value,
    commit: Option<&str>,
    run: &str,
) -> Result<(), IndexError> {
    let repository_id = serde_json::from_value(repository.clone())?;
    let creations = plan.orders.iter().enumerate().map(|(number, (title, order))| {
        let order = Order {
            repository_id,
            root: order.repo.clone(),
            from: order.from.clone(),
            until: order.until.clone(),
            files: order.files,
            commit: commit.map(str::to_owned),
        };
        let body = json!({ "queue": args.queue, "type": "index", "title": title, "payload": order });
        let (key, headers) = (format!("{run}-{number}"), [("x-correlation-id", run.to_owned())]);
        async move { client.command_within("tasks", &key, &body, &headers, Duration::ZERO).await.map(drop) }
    });
    Ok(stream::iter(creations).buffer_unordered(AT_ONCE).try_collect().await?)
}

/// Follows the tasks to their end and adds up their results.
async fn watch(client: &Client, queue: &str, all: usize, run: &str) -> Result<Indexed, IndexError> {
    let (mut before, mut moved) = (None, Instant::now());
    let bar = Bar::new(all);
    loop {
        let answer = client.query(TASKS, json!({ "run": run })).await?;
        let tasks = answer["tasks"]["nodes"].as_array().cloned().unwrap_or_default();
        let is = |task: &&Value, states: &[&str]| states.iter().any(|state| task["state"] == **state);
        let ended = tasks.iter().filter(|task| !is(task, &ON_ITS_WAY)).count();
        bar.reach(ended);
        if ended == all {
            bar.finish();
            return sum(&tasks);
        }
        let states: Vec<_> = tasks.iter().map(|task| task["state"].clone()).collect();
        if before.as_ref() != Some(&states) {
            (before, moved) = (Some(states), Instant::now());
        } else if moved.elapsed() > STANDSTILL {
            moved = Instant::now();
            bar.say(&format!(
                "no task began or ended for a while; is there a worker? gesta worker --queues {queue}"
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn sum(tasks: &[Value]) -> Result<Indexed, IndexError> {
    let failed: Vec<_> = tasks.iter().filter(|task| task["state"] != "SUCCEEDED").collect();
    if let Some(first) = failed.first() {
        let (failed, all, first) = (failed.len(), tasks.len(), first["failure"].to_string());
        return Err(IndexError::Failed { failed, all, first });
    }
    let mut sum = Indexed::default();
    for task in tasks {
        let part: Indexed = serde_json::from_value(task["result"].clone())?;
        sum.indexed += part.indexed;
        sum.unchanged += part.unchanged;
        sum.chunks += part.chunks;
        for (reason, count) in part.skipped {
            *sum.skipped.entry(reason).or_default() += count;
        }
        sum.skipped_files.extend(part.skipped_files);
    }
    Ok(sum)
}

/// Removes the files that Gesta knows and the repository does not have any more; how many.
async fn remove_others(client: &Client, repository: &str, found: &[PathBuf]) -> Result<usize, IndexError> {
    let found: BTreeSet<&Path> = found.iter().map(PathBuf::as_path).collect();
    let (mut gone, mut after) = (Vec::new(), Value::Null);
    loop {
        let filter = json!({ "repositoryId": repository, "state": ["INDEXED", "REGISTERED"] });
        let page =
            client.query(FILES, json!({ "filter": filter, "after": after })).await?["sourceFiles"].take();
        for file in page["nodes"].as_array().into_iter().flatten() {
            if let (Some(id), Some(path)) = (file["id"].as_str(), file["path"].as_str())
                && !found.contains(Path::new(path))
            {
                gone.push(id.to_owned());
            }
        }
        if page["pageInfo"]["hasNextPage"] != true {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    let removals = gone.iter().map(|id| async move {
        let (path, key) = (format!("source-files/{id}/remove"), Uuid::new_v4().to_string());
        client.command(&path, &key, &json!({})).await.map(drop)
    });
    stream::iter(removals).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(gone.len())
}

fn say(result: &Indexed, removed: usize, took: Duration) -> Result<(), IndexError> {
    let Indexed { indexed, unchanged, chunks, skipped, skipped_files } = result;
    out::line(format_args!(
        "{indexed} files indexed, {unchanged} unchanged, {removed} removed; {chunks} chunks; {:.1} s",
        took.as_secs_f64()
    ))?;
    for (reason, count) in skipped {
        out::line(format_args!("{count} files skipped: {reason}"))?;
    }
    skipped_files
        .iter()
        .try_for_each(|path| out::line(format_args!("  skipped: {}", path.escape_debug())))?;
    Ok(())
}

/// The commit of a repository whose files are those of the commit; none when git cannot say so.
fn commit(repo: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(repo).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    git(&["status", "--porcelain", "--untracked-files=normal"]).filter(String::is_empty)?;
    git(&["rev-parse", "--verify", "HEAD"])
}
