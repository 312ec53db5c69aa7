//! What came of the job: one query, read into tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytesize::ByteSize;
use serde::Deserialize;
use serde_json::Value;

use super::children::Fleet;
use super::{DemoError, Job};
use crate::cli::output::table;
use crate::client::Connection;
use crate::out;
use crate::worker::inventory::Inventory;

/// How far the job is, and the read models that show it.
pub(super) const PROGRESS: &str = "\
query Progress($queue: String!) {
  tasks(first: 100, filter: { queue: [$queue] }) { nodes { state } }
  projections { name shards { shard state error } }
}";

/// How the read models are.
pub(super) const READ_MODELS: &str = "{ projections { name shards { shard state error } } }";

/// The whole result.
pub(super) const QUERY: &str = "\
query Job($queue: String!) {
  tasks(first: 100, filter: { queue: [$queue] }) {
    nodes { id title state result failure { reason error } attempts(first: 5) { fencingToken worker outcome } }
  }
}";

/// The same query in the short form that a person copies.
const COPY: &str =
    "{ tasks(first: 100, filter: { queue: [\"QUEUE\"] }) { nodes { title state worker attempt result } } }";

/// Languages that the table names.
const MAX_LANGUAGES: usize = 12;

/// Read models that show the job.
const READ: [&str; 2] = ["task_list", "task_attempts"];

/// States from which nothing follows by itself.
const ENDED: [&str; 6] = ["succeeded", "failed", "cancelled", "dead_lettered", "discarded", "compensated"];

#[derive(Debug, Deserialize)]
struct Task {
    title: String,
    state: String,
    result: Option<Inventory>,
    failure: Option<Failure>,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize)]
struct Failure {
    reason: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Attempt {
    #[serde(rename = "fencingToken")]
    fencing_token: u32,
    worker: String,
    outcome: Option<String>,
}

/// The job's result.
pub(super) struct Report {
    tasks: Vec<Task>,
    labels: BTreeMap<String, String>,
    victim: Option<String>,
}

/// How many tasks of the answer to [`PROGRESS`] have ended.
pub(super) fn ended(answer: &Value) -> usize {
    let nodes = answer.pointer("/tasks/nodes").and_then(Value::as_array).into_iter().flatten();
    nodes.filter(|task| has_ended(task["state"].as_str().unwrap_or_default())).count()
}

/// The first read model of the answer to [`PROGRESS`] or [`READ_MODELS`] that shows the job and cannot go on, and why.
pub(super) fn stopped(answer: &Value) -> Option<String> {
    let each = |list: &Value| list.as_array().cloned().unwrap_or_default();
    each(&answer["projections"]).iter().find_map(|projection| {
        let shard = each(&projection["shards"]).into_iter().find(|shard| shard["state"] != "running")?;
        let error = shard["error"].as_str().unwrap_or("no reason given");
        let name = projection["name"].as_str().filter(|name| READ.contains(name))?;
        Some(format!("{name} of shard {}: {error}", shard["shard"]))
    })
}

fn has_ended(state: &str) -> bool {
    ENDED.contains(&state.to_ascii_lowercase().as_str())
}

/// Reads the answer to [`QUERY`].
///
/// # Errors
/// When a field is missing.
pub(super) fn read(answer: &Value, fleet: &Fleet) -> Result<Report, serde_json::Error> {
    let nodes = answer.pointer("/tasks/nodes").cloned().unwrap_or_default();
    let labels = fleet.labels().into_iter().map(|(id, label)| (id.to_owned(), label.to_owned())).collect();
    Ok(Report { tasks: serde_json::from_value(nodes)?, labels, victim: fleet.victim().map(str::to_owned) })
}

impl Report {
    /// Tasks that ended without a result.
    pub(super) fn unsuccessful(&self) -> usize {
        self.tasks.iter().filter(|task| !task.state.eq_ignore_ascii_case("succeeded")).count()
    }

    fn label<'a>(&'a self, worker: &'a str) -> &'a str {
        self.labels.get(worker).map_or(worker, String::as_str)
    }

    /// Everything as text.
    pub(super) fn tables(&self) -> String {
        let mut sum = Inventory::default();
        self.tasks.iter().filter_map(|task| task.result.clone()).for_each(|part| sum.merge(part));
        let mut text = format!(
            "\n{} files, {} lines, {} ({} binary, {} unreadable)\n",
            sum.files,
            sum.lines,
            ByteSize::b(sum.bytes),
            sum.binary_files,
            sum.unreadable_files
        );
        for part in [languages(&sum), largest(&sum), self.workers(), self.taken_over(), self.failures()] {
            text.push_str(&part);
        }
        text
    }

    /// Tasks per agent, and what each lost.
    fn workers(&self) -> String {
        let mut rows: BTreeMap<&str, (u32, u32)> =
            self.labels.values().map(|label| (label.as_str(), (0, 0))).collect();
        for attempt in self.tasks.iter().flat_map(|task| &task.attempts) {
            let row = rows.entry(self.label(&attempt.worker)).or_default();
            let won =
                attempt.outcome.as_deref().is_some_and(|outcome| outcome.eq_ignore_ascii_case("succeeded"));
            if won { row.0 += 1 } else { row.1 += 1 }
        }
        let mut shown = table(&["agent", "tasks completed", "leases lost", ""]);
        for (label, (won, lost)) in rows {
            let note = if self.victim.as_deref() == Some(label) { "killed on purpose" } else { "" };
            shown.add_row([label, &won.to_string(), &lost.to_string(), note]);
        }
        let retries: usize = self.tasks.iter().map(|task| task.attempts.len().saturating_sub(1)).sum();
        format!("{shown}\n{} tasks, {retries} tried again\n", self.tasks.len())
    }

    /// Tasks that one worker began and another finished.
    fn taken_over(&self) -> String {
        let mut text = String::new();
        for task in &self.tasks {
            let workers: BTreeSet<_> = task.attempts.iter().map(|attempt| &attempt.worker).collect();
            let mut attempts: Vec<_> = task.attempts.iter().collect();
            attempts.sort_by_key(|attempt| attempt.fencing_token);
            if let (true, Some(first), Some(last)) = (workers.len() > 1, attempts.first(), attempts.last()) {
                let (from, to) = (self.label(&first.worker), self.label(&last.worker));
                // Writing to a string cannot fail.
                writeln!(text, "  {}: begun by {from}, finished by {to}", task.title).ok();
            }
        }
        if text.is_empty() { text } else { format!("finished by another worker than began them:\n{text}") }
    }

    fn failures(&self) -> String {
        let lost = self.tasks.iter().filter(|task| !task.state.eq_ignore_ascii_case("succeeded"));
        lost.map(|task| {
            format!(
                "{} is {}: {}\n",
                task.title,
                task.state,
                task.failure
                    .as_ref()
                    .and_then(|failure| failure.error.as_deref().or(failure.reason.as_deref()))
                    .unwrap_or("no error given")
            )
        })
        .collect()
    }
}

fn languages(sum: &Inventory) -> String {
    let mut rows: Vec<_> = sum.languages.iter().collect();
    rows.sort_by_key(|(name, share)| (std::cmp::Reverse(share.lines), (*name).clone()));
    let mut shown = table(&["language", "files", "lines"]);
    for (name, share) in rows.iter().take(MAX_LANGUAGES) {
        shown.add_row([name.as_str(), &share.files.to_string(), &share.lines.to_string()]);
    }
    let more = rows.len().saturating_sub(MAX_LANGUAGES);
    if more > 0 { format!("{shown}\n  and {more} more languages\n") } else { format!("{shown}\n") }
}

fn largest(sum: &Inventory) -> String {
    let mut shown = table(&["largest files", "size"]);
    for file in &sum.largest {
        let path: String = file.path.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        shown.add_row([path, ByteSize::b(file.bytes).to_string()]);
    }
    format!("{shown}\n")
}

/// Where everything is, one command and one query to copy.
///
/// # Errors
/// What the system says about standard output.
pub(super) fn farewell(connection: &Connection, job: &Job) -> Result<(), DemoError> {
    let url = &connection.url;
    let queries = connection.query_url.as_ref().unwrap_or(url);
    let query = COPY.replace("QUEUE", &job.queue);
    if queries == url {
        out::line(format_args!("\nexplorer, queries and commands: {url}/"))?;
    } else {
        out::line(format_args!("\nexplorer and queries: {queries}/, commands: {url}/"))?;
    }
    out::line("a command:")?;
    out::line(format_args!(
        "  curl -s {url}/api/v1/tasks -H 'content-type: application/json' \\\n    -d '{{\"title\":\"my first task\",\"type\":\"note\"}}'"
    ))?;
    out::line("the query behind the table (paste it into the explorer, or):")?;
    let body = serde_json::json!({ "query": query });
    out::line(format_args!(
        "  curl -s {queries}/graphql -H 'content-type: application/json' \\\n    -d '{body}'"
    ))?;
    Ok(())
}
