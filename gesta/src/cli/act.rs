//! `gesta task …` and `gesta agent …`: one subcommand per command type, made from its schema.
//!
//! Names, descriptions and flags come from the registry, so a command that is added there is a
//! subcommand here at once, and none is forgotten.

use clap::{Arg, ArgAction, ArgMatches, Command};
use schemars::generate::SchemaSettings;
use schemas::contract::{Address, CommandType};
use schemas::registry::command_types;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::output::{self, Format};
use crate::client::{CallError, Client};

/// Why a command was not sent or not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    /// A flag does not hold what its field needs.
    #[error("{flag} = {value}: {problem}")]
    Flag {
        /// The flag.
        flag: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Standard output.
    #[error("the result could not be written: {0}")]
    Output(#[from] std::io::Error),
}

/// What the flag of a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Texts,
    Flag,
    Json,
}

/// A field of a command's body.
struct Field {
    name: String,
    flag: String,
    form: Form,
    required: bool,
    help: String,
}

/// The subcommands of a collection.
pub(crate) fn subcommands(collection: &str) -> Vec<Command> {
    let public =
        |command: &&CommandType| command.collection == collection && command.address != Address::Internal;
    command_types().filter(public).map(subcommand).collect()
}

/// The command type of a subcommand.
fn command_type(collection: &str, verb: &str) -> Option<&'static CommandType> {
    command_types().find(|command| command.collection == collection && verb_of(command) == Some(verb))
}

fn verb_of(command: &CommandType) -> Option<&'static str> {
    match command.address {
        Address::Create => command.name.split_once('.').map(|(_, verb)| verb),
        Address::Act(verb) | Address::Collection(verb) => Some(verb),
        Address::Internal => None,
    }
}

fn subcommand(command: &CommandType) -> Command {
    let verb = verb_of(command).expect("internal commands are filtered out");
    let mut made = Command::new(verb).about(command.summary).after_help(example(command, verb));
    if matches!(command.address, Address::Act(_)) {
        made = made.arg(
            Arg::new("id").required(true).value_name("ID").help(format!("Id of the {}", command.aggregate)),
        );
    }
    for field in fields(command) {
        let arg = Arg::new(field.name)
            .long(field.flag)
            .help(field.help)
            .required(field.required && field.form != Form::Flag);
        made = made.arg(match field.form {
            Form::Text => arg.value_name("TEXT").allow_hyphen_values(true),
            Form::Texts => arg.value_name("TEXT,…").value_delimiter(',').action(ArgAction::Append),
            Form::Flag => arg.num_args(0..=1).default_missing_value("true").value_name("BOOL"),
            Form::Json => arg.value_name("JSON").allow_hyphen_values(true),
        });
    }
    made.args(common())
}

fn common() -> [Arg; 4] {
    let arg = |name: &'static str| Arg::new(name).long(name).help_heading("Command");
    [
        arg("idempotency-key")
            .value_name("KEY")
            .help("Key under which this takes effect once; made when absent"),
        arg("if-match").value_name("VERSION").help("Refuse unless the aggregate is at this version"),
        arg("dry-run").action(ArgAction::SetTrue).help("Decide, write nothing"),
        arg("correlation-id").value_name("ID").help("Correlation id that every event of the chain carries"),
    ]
}

fn example(command: &CommandType, verb: &str) -> String {
    let flags = fields(command).into_iter().filter(|field| field.required);
    let flags = flags.map(|field| {
        let value = match field.form {
            Form::Text | Form::Texts => "example",
            Form::Flag => "true",
            Form::Json => "1",
        };
        format!(" --{} {value}", field.flag)
    });
    let id =
        if matches!(command.address, Address::Act(_)) { " 8e88a6c9-40b0-87c7-a154-418b24b15ccd" } else { "" };
    format!("Example:\n  gesta {} {verb}{id}{}", command.aggregate, flags.collect::<String>())
}

fn fields(command: &CommandType) -> Vec<Field> {
    let mut generator =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let schema = (command.schema)(&mut generator);
    let required: Vec<_> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let field = |(name, schema): (&String, &Value)| Field {
        flag: kebab(name),
        form: form(schema),
        required: required.contains(&name.as_str()),
        help: schema["description"].as_str().unwrap_or_default().trim_end_matches('.').to_owned(),
        name: name.clone(),
    };
    properties.into_iter().flatten().map(field).collect()
}

/// `fencingToken` → `fencing-token`.
fn kebab(name: &str) -> String {
    let mut flag = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            flag.push('-');
        }
        flag.extend(c.to_lowercase());
    }
    flag
}

fn form(schema: &Value) -> Form {
    let is = |kind: &str| {
        let kinds = &schema["type"];
        kinds == kind || kinds.as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind))
    };
    if is("boolean") {
        Form::Flag
    } else if is("array") && (schema.pointer("/items/type") == Some(&Value::from("string"))) {
        Form::Texts
    } else if is("integer")
        || is("number")
        || is("object")
        || is("array")
        || (schema["type"].is_null() && objects(schema))
    {
        Form::Json
    } else {
        Form::Text
    }
}

/// Whether a schema without a type of its own is one of objects.
fn objects(schema: &Value) -> bool {
    let options = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    options.into_iter().any(|option| option["type"] == "object")
}

/// Sends the command of a subcommand and writes its answer.
///
/// # Errors
/// [`ActError`].
pub(crate) async fn run(
    client: &Client,
    collection: &str,
    verb: &str,
    matches: &ArgMatches,
    format: Format,
) -> Result<(), ActError> {
    let command = command_type(collection, verb).expect("the parser knows no other subcommand");
    let mut path = match command.address {
        Address::Create | Address::Internal => collection.to_owned(),
        Address::Collection(verb) => format!("{collection}/{verb}"),
        Address::Act(verb) => format!("{collection}/{}/{verb}", text(matches, "id").unwrap_or_default()),
    };
    if matches.get_flag("dry-run") {
        path.push_str("?dryRun=true");
    }
    let mut headers = Vec::new();
    headers.extend(
        text(matches, "if-match").map(|version| ("if-match", format!("\"{}\"", version.trim_matches('"')))),
    );
    headers.extend(text(matches, "correlation-id").map(|id| ("x-correlation-id", id)));
    let key = text(matches, "idempotency-key").unwrap_or_else(|| Uuid::new_v4().to_string());
    let body = body(command, matches)?;
    let wait = std::time::Duration::from_millis(body.get("wait").and_then(Value::as_u64).unwrap_or(0));
    let reply = client.command_within(&path, &key, &Value::Object(body), &headers, wait).await?;
    match reply.body.get("tasks").and_then(Value::as_array) {
        Some(tasks) if format != Format::Json => output::items(
            format,
            tasks,
            &[
                ("id", "/id"),
                ("fencing token", "/fencingToken"),
                ("attempt", "/attempt"),
                ("title", "/title"),
                ("lease until", "/leaseExpiresAt"),
            ],
        )?,
        _ => output::object(format, &reply.body)?,
    }
    Ok(())
}

fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}

fn body(command: &CommandType, matches: &ArgMatches) -> Result<Map<String, Value>, ActError> {
    let mut body = Map::new();
    for field in fields(command) {
        let Some(values) = matches.get_many::<String>(&field.name) else { continue };
        let values: Vec<_> = values.cloned().collect();
        let first = values.first().cloned().unwrap_or_default();
        let value = match field.form {
            Form::Text => Value::from(first),
            Form::Texts => Value::from(values),
            Form::Flag | Form::Json => serde_json::from_str(&first).map_err(|error| ActError::Flag {
                flag: format!("--{}", field.flag),
                value: first.clone(),
                problem: format!(
                    "it takes {}: {error}",
                    if field.form == Form::Flag { "true or false" } else { "JSON" }
                ),
            })?,
        };
        body.insert(field.name, value);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(collection: &str, words: &[&str]) -> (String, ArgMatches) {
        let root = Command::new("gesta").subcommands(subcommands(collection)).subcommand_required(true);
        let mut matches = root.try_get_matches_from([&["gesta"], words].concat()).unwrap();
        matches.remove_subcommand().unwrap()
    }

    #[test]
    fn every_public_command_is_a_subcommand_whose_flags_give_its_body() {
        for collection in ["tasks", "agents"] {
            let public = command_types()
                .filter(|c| c.collection == collection && c.address != Address::Internal)
                .count();
            assert_eq!(subcommands(collection).len(), public);
            let root = Command::new("gesta").subcommands(subcommands(collection));
            root.debug_assert();
        }
        let (verb, matches) =
            parse("tasks", &["complete", "some-id", "--fencing-token", "7", "--result", r#"{"a":1}"#]);
        let body = body(command_type("tasks", &verb).unwrap(), &matches).unwrap();
        assert_eq!(Value::Object(body), serde_json::json!({ "fencingToken": 7, "result": { "a": 1 } }));
    }

    #[test]
    fn flags_are_typed_as_the_schema_says() {
        let words = [
            "create",
            "--title",
            "7",
            "--type",
            "t",
            "--hold",
            "--priority",
            "high",
            "--requirements",
            "a,b",
            "--policy",
            r#"{"leaseMs":5000}"#,
        ];
        let (verb, matches) = parse("tasks", &words);
        let command = command_type("tasks", &verb).unwrap();
        let body = Value::Object(body(command, &matches).unwrap());
        assert_eq!(
            body,
            serde_json::json!({
                "title": "7", "type": "t", "hold": true, "priority": "high", "requirements": ["a", "b"], "policy": { "leaseMs": 5000 }
            })
        );
        assert!(serde_json::from_value::<schemas::task::CreateTask>(body).is_ok());
    }

    #[test]
    fn a_flag_that_is_no_json_is_named() {
        let (verb, matches) = parse("tasks", &["complete", "some-id", "--fencing-token", "seven"]);
        let error = body(command_type("tasks", &verb).unwrap(), &matches).unwrap_err().to_string();
        assert!(error.contains("--fencing-token") && error.contains("seven"), "{error}");
    }
}
