//! `gesta search`: words in, places in code out.

use clap::Args;
use serde_json::{Value, json};

use super::output::{self, Format, OutputArgs};
use crate::client::{CallError, Client};
use crate::out;
use crate::settings::args::ConnectionArgs;

/// Lines of a hit that are shown to people.
const SHOWN_LINES: usize = 3;

/// Flags of `gesta search`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// What to look for, in words or identifiers.
    #[arg(required = true)]
    words: Vec<String>,
    /// Only these languages, for example rust; may be repeated.
    #[arg(long)]
    language: Vec<String>,
    /// Only these kinds of chunks, for example `function_def`; may be repeated.
    #[arg(long)]
    kind: Vec<String>,
    /// Only paths that begin with this.
    #[arg(long, value_name = "PREFIX")]
    beneath: Option<String>,
    /// Only these repositories, by id; may be repeated.
    #[arg(long, value_name = "ID")]
    repository: Vec<String>,
    /// Most hits.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    first: u32,
    /// Answer only when the read models include this position, which a command answered.
    #[arg(long, value_name = "TOKEN")]
    position: Option<String>,
}

const SEARCH: &str =
    "query Search($query: String!, $filter: SearchFilter, $first: Int, $position: ConsistencyToken) {
  search(query: $query, filter: $filter, first: $first, atLeast: $position) {
    hits { score kind name scope signature language text
      citation { repositoryId repository path startLine endLine commit } }
  }
}";

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Standard output.
    #[error("the result could not be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Searches and shows the hits, the best one first.
///
/// # Errors
/// [`SearchError`].
pub(crate) async fn run(client: &Client, args: &SearchArgs) -> Result<(), SearchError> {
    let some = |values: &[String]| (!values.is_empty()).then(|| values.to_vec());
    let filter = json!({
        "language": some(&args.language), "kind": some(&args.kind), "repositoryId": some(&args.repository),
        "beneath": args.beneath,
    });
    let query = args.words.join(" ");
    let variables =
        json!({ "query": query, "filter": filter, "first": args.first, "position": args.position });
    let hits = client.query(SEARCH, variables).await?["search"]["hits"].take();
    let hits = hits.as_array().cloned().unwrap_or_default();
    if args.output.output != Format::Table || hits.is_empty() {
        return Ok(output::items(args.output.output, &hits, &[])?);
    }
    Ok(hits.iter().try_for_each(|hit| out::line(shown(hit)))?)
}

/// A hit for people: where it is, in a form that editors open, what it is, and its first lines.
fn shown(hit: &Value) -> String {
    let text = |pointer: &str| plain(hit.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
    let number = |pointer: &str| hit.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let (start, end) = (number("/citation/startLine"), number("/citation/endLine"));
    let score = hit["score"].as_f64().unwrap_or_default();
    let (repository, path) = (text("/citation/repository"), text("/citation/path"));
    let what = [text("/kind"), text("/scope"), text("/name")].into_iter().filter(|part| !part.is_empty());
    let what = what.collect::<Vec<_>>().join(" ");
    let mut lines = vec![format!("{path}:{start}-{end}  {what}  ({repository}, {score:.2})")];
    let code = hit["text"].as_str().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim().is_empty()).take(SHOWN_LINES);
    lines.extend(code.map(|line| format!("    {}", plain(line))));
    lines.join("\n")
}

/// Without control characters: what a repository says must not steer a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_says_where_it_is_and_what() {
        let hit = json!({
            "score": 12.345, "kind": "function_def", "name": "check\u{1b}", "scope": "shard", "text": "\nfn check() {\n}\n",
            "citation": { "repository": "gesta", "path": "src/a.rs", "startLine": 3, "endLine": 5, "commit": null },
        });
        let expected = "src/a.rs:3-5  function_def shard check   (gesta, 12.35)\n    fn check() {\n    }";
        assert_eq!(shown(&hit), expected);
    }
}
