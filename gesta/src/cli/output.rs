//! Results as a table for people, or as JSON for programs.

use clap::{Args, ValueEnum};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use crate::out;

/// Longest text in a cell, in characters; JSON has all of it.
const MAX_CELL_CHARS: usize = 60;

/// Form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
}

/// `--output`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// Form of the result.
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    pub(crate) output: Format,
}

/// A table without data.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    table
}

/// Writes items; in a table the given columns, each a title and a JSON pointer.
///
/// # Errors
/// What the system says about standard output.
pub(crate) fn items(format: Format, items: &[Value], columns: &[(&str, &str)]) -> std::io::Result<()> {
    match format {
        Format::Json => out::line(pretty(&Value::from(items.to_vec()))),
        Format::Ndjson => items.iter().try_for_each(out::line),
        Format::Table if items.is_empty() => out::line("nothing found"),
        Format::Table => {
            let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
            let mut table = table(&titles);
            for item in items {
                table.add_row(columns.iter().map(|(_, pointer)| cell(item.pointer(pointer))));
            }
            out::line(table)
        }
    }
}

/// Writes one object; in a table one row per field.
///
/// # Errors
/// As [`items`].
pub(crate) fn object(format: Format, object: &Value) -> std::io::Result<()> {
    match format {
        Format::Json => out::line(pretty(object)),
        Format::Ndjson => out::line(object),
        Format::Table => {
            let mut table = table(&["field", "value"]);
            for (name, value) in
                object.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null())
            {
                table.add_row([name.clone(), cell(Some(value))]);
            }
            out::line(table)
        }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value serialises")
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    // What a task says is shown on a terminal: no control character of it may reach there.
    let mut shown: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CELL_CHARS).collect();
    if text.chars().nth(MAX_CELL_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_short_and_moves_no_cursor() {
        assert_eq!(cell(Some(&json!("a\u{1b}[2Jb\n"))), "a [2Jb ");
        assert_eq!(cell(Some(&json!("x".repeat(100)))).chars().count(), MAX_CELL_CHARS + 1);
        assert_eq!(cell(Some(&json!(7))), "7");
        assert_eq!(cell(None), "");
    }
}
