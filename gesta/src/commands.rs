//! The command line: every command, its flags, its help.

use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::admin::dlq::DlqArgs;
use crate::admin::log::LogArgs;
use crate::cli::act;
use crate::cli::demo::DemoArgs;
use crate::cli::events::EventsArgs;
use crate::cli::index::IndexArgs;
use crate::cli::output::OutputArgs;
use crate::cli::read::ListArgs;
use crate::cli::search::SearchArgs;
use crate::roles::dev::DevArgs;
use crate::settings::LogFormat;
use crate::settings::args::{ConnectionArgs, SettingsArgs};
use crate::worker::WorkerArgs;

/// What the exit codes mean; they stand in docs/operations.md too.
const EXIT_CODES: &str = "\
Exit codes:
  0 done                         5 the configuration cannot be used
  1 failed                       6 a port is in use
  2 wrong usage                  7 the data are in use by another process
  3 refused by Gesta             8 the log is damaged, or of another deployment or format
  4 Gesta cannot be reached    130 ended by a second signal";

/// Gesta: an event-sourced control plane for fleets of agents.
#[derive(Debug, Parser)]
#[command(name = "gesta", version, about, after_help = EXIT_CODES, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Least level of log lines, or directives such as info,command_service=debug.
    #[arg(long, global = true, env = "GESTA_LOG_LEVEL", value_name = "LEVEL", help_heading = "Logging")]
    pub(crate) log_level: Option<String>,
    /// Form of log lines on standard error [default: text on a terminal, else json].
    #[arg(
        long,
        global = true,
        env = "GESTA_LOG_FORMAT",
        value_enum,
        hide_possible_values = true,
        help_heading = "Logging"
    )]
    pub(crate) log_format: Option<LogFormat>,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command but `task` and `agent`, which the registry of commands makes.
#[derive(Debug, Subcommand)]
#[expect(clippy::enum_variant_names, reason = "the service is called so everywhere")]
pub(crate) enum Command {
    /// Run all of Gesta in one process, on one address.
    #[command(
        after_help = "Example:\n  GESTA_POSTGRES_URL=postgres://gesta@127.0.0.1/gesta gesta dev --data-dir ./data"
    )]
    Dev(Box<DevArgs>),
    /// Run the write side alone: commands over HTTP, the log, the event stream.
    #[command(after_help = "Example:\n  gesta command-service --data-dir ./data --listen 127.0.0.1:7070")]
    CommandService(SettingsArgs),
    /// Run the projections alone, from the log into Postgres.
    #[command(
        after_help = "Example:\n  gesta projectors --data-dir ./data --postgres-url postgres://gesta@127.0.0.1/gesta\n\n\
        One process at a time has the embedded log: while `gesta dev` or `gesta command-service` runs on\nthe same data, run the projections inside `gesta dev`."
    )]
    Projectors(SettingsArgs),
    /// Run the read side alone: GraphQL and the explorer.
    #[command(
        after_help = "Example:\n  gesta query-api --listen 127.0.0.1:7080 --postgres-url postgres://gesta@127.0.0.1/gesta"
    )]
    QueryApi(SettingsArgs),
    /// Claim tasks and work on them, over HTTP only.
    #[command(after_help = "Example:\n  gesta worker --queues inventory,default --concurrency 4")]
    Worker(Box<WorkerArgs>),
    /// Show the main job on a running Gesta: three workers take the inventory of a repository.
    #[command(after_help = "Example:\n  gesta demo --repo ../other")]
    Demo(DemoArgs),
    /// Print events as CloudEvents, one JSON object a line.
    #[command(
        after_help = "Examples:\n  gesta events --follow --type 'gesta.work.task.*'\n  gesta events --data .gesta | jq .type"
    )]
    Events(EventsArgs),
    /// Have the workers of a queue cut a repository's files into chunks that can be searched.
    #[command(after_help = "Example:\n  gesta worker --queues index &\n  gesta index ../other --name other")]
    Index(IndexArgs),
    /// Find chunks of the indexed repositories by words and identifiers.
    #[command(after_help = "Example:\n  gesta search where is the lease checked --language rust")]
    Search(Box<SearchArgs>),
    /// Look at the log; make its topic on Kafka.
    Log(LogArgs),
    /// List the dead letters of the projections, or have them tried again (Postgres).
    Dlq(DlqArgs),
    /// Bring the database to the shape of this release.
    #[command(after_help = "Example:\n  gesta migrate --postgres-url postgres://gesta@127.0.0.1/gesta")]
    Migrate(SettingsArgs),
    /// Show or check the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  gesta completions bash > ~/.local/share/bash-completion/completions/gesta"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Show or check the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every key with its effective value; secrets are hidden.
    #[command(after_help = "Example:\n  gesta config show --set data.shards=16")]
    Show(SettingsArgs),
    /// Check the configuration without starting anything.
    #[command(after_help = "Example:\n  gesta config check --config /etc/gesta/gesta.toml")]
    Check(SettingsArgs),
}

/// Flags of `gesta task` and `gesta agent`, before the verb or behind it.
#[derive(Debug, Clone, Parser)]
struct People {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Clone, Parser)]
struct List {
    #[command(flatten)]
    people: People,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Clone, Parser)]
struct Get {
    #[command(flatten)]
    people: People,
    /// Its id.
    id: String,
    /// Answer only when the read models include this position, which a command answered.
    #[arg(long, value_name = "TOKEN")]
    position: Option<String>,
}

/// A parsed `gesta task …` or `gesta agent …`.
#[derive(Debug)]
pub(crate) struct ForPeople {
    /// `tasks` or `agents`.
    pub(crate) collection: &'static str,
    /// Where Gesta is.
    pub(crate) connection: ConnectionArgs,
    /// Form of the result.
    pub(crate) output: OutputArgs,
    /// What to do.
    pub(crate) what: What,
}

/// What a command for people does.
#[derive(Debug)]
pub(crate) enum What {
    /// Send the command of this verb.
    Act(String, clap::ArgMatches),
    /// List.
    List(ListArgs),
    /// Show one.
    Get(String, Option<String>),
}

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A command of [`Command`].
    Command(Box<Cli>),
    /// A command for people.
    People(Box<ForPeople>),
}

/// Aggregate, collection, what it is.
const FOR_PEOPLE: [(&str, &str, &str); 2] = [
    ("task", "tasks", "Create, list, claim and work on tasks by hand"),
    ("agent", "agents", "Register, list and steer agents by hand"),
];

/// The whole parser.
pub(crate) fn parser() -> clap::Command {
    let mut parser = Cli::command();
    for (name, collection, about) in FOR_PEOPLE {
        let people = |command: clap::Command| People::augment_args(command);
        let example = |verb: &str, rest: &str| format!("Example:\n  gesta {name} {verb}{rest}");
        let list = List::augment_args(clap::Command::new("list"))
            .about(format!("List {collection}"))
            .after_help(example("list", " --first 50"));
        let get = Get::augment_args(clap::Command::new("get"))
            .about(format!("Show one {name}"))
            .after_help(example("get", " 8e88a6c9-40b0-87c7-a154-418b24b15ccd"));
        let group = clap::Command::new(name)
            .about(about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true)
            .subcommand(list)
            .subcommand(get)
            .subcommands(act::subcommands(collection).into_iter().map(people));
        parser = parser.subcommand(group);
    }
    parser
}

/// Parses the command line; prints help or the mistake and ends when there is nothing to run.
pub(crate) fn parse() -> Parsed {
    let matches = parser().get_matches();
    read(&matches).unwrap_or_else(|error| error.exit())
}

fn read(matches: &clap::ArgMatches) -> Result<Parsed, clap::Error> {
    let (name, inner) = matches.subcommand().expect("the parser demands a command");
    let Some((_, collection, _)) = FOR_PEOPLE.iter().find(|(aggregate, ..)| *aggregate == name) else {
        return Ok(Parsed::Command(Box::new(Cli::from_arg_matches(matches)?)));
    };
    let (verb, matches) = inner.subcommand().expect("the parser demands a verb");
    let (people, what) = match verb {
        "list" => {
            let list = List::from_arg_matches(matches)?;
            (list.people, What::List(list.list))
        }
        "get" => {
            let get = Get::from_arg_matches(matches)?;
            (get.people, What::Get(get.id, get.position))
        }
        verb => (People::from_arg_matches(matches)?, What::Act(verb.to_owned(), matches.clone())),
    };
    Ok(Parsed::People(Box::new(ForPeople {
        collection,
        connection: people.connection,
        output: people.output,
        what,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_parsed_and_has_an_example() {
        parser().debug_assert();
        fn visit(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if command.has_subcommands() {
                command.get_subcommands().for_each(|command| visit(command, &path));
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{path} has no example");
                assert!(command.get_about().is_some(), "{path} has no description");
            }
        }
        visit(&parser(), "");
    }

    #[test]
    fn commands_for_people_know_where_gesta_is() {
        let words = ["gesta", "task", "cancel", "some-id", "--url", "http://h:1", "--output", "json"];
        let matches = parser().try_get_matches_from(words).unwrap();
        let Ok(Parsed::People(people)) = read(&matches) else { panic!("not for people") };
        assert_eq!((people.collection, people.connection.url.as_str()), ("tasks", "http://h:1"));
        assert!(matches!(people.what, What::Act(verb, _) if verb == "cancel"));
    }
}
