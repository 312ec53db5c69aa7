//! `gesta`: the one executable. Services, worker, tools for operators, commands for people.

mod admin;
mod cli;
mod client;
mod cloud_event;
mod commands;
mod exit;
mod feed;
mod logging;
mod out;
mod roles;
mod settings;
mod signals;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use commands::{Cli, Command, ConfigCommand, ForPeople, Parsed, What};
use settings::{Logging, Settings};
use tokio_util::sync::CancellationToken;

/// Commands and events are many small allocations, freed on other threads than they were made on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long threads that still work may keep the ended program.
const LAST_THREADS: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let parsed = commands::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("no runtime can be started")),
    };
    // The only place that chooses it, so no other choice can be there before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let ended = runtime.block_on(async {
        match parsed {
            Parsed::Command(cli) => run(*cli).await,
            Parsed::People(people) => for_people(*people).await,
        }
    });
    runtime.shutdown_timeout(LAST_THREADS);
    ended.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // An error often repeats the words of the one inside it; they are said once.
    let said =
        error.chain().map(ToString::to_string).fold(String::new(), |said, words| match said.as_str() {
            "" => words,
            before if before.contains(&words) => said,
            before => format!("{before}: {words}"),
        });
    eprintln!("error: {said}");
    ExitCode::from(exit::code(error))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let logging = |mut logging: Logging| {
        logging.level = cli.log_level.clone().or(logging.level);
        logging.format = cli.log_format.unwrap_or(logging.format);
        logging
    };
    let service =
        |args: &settings::args::SettingsArgs, level: &str| -> anyhow::Result<(Settings, CancellationToken)> {
            let settings = settings::load(args)?;
            logging::start(&logging(settings.logging.clone()), level)?;
            Ok((settings, signals::stop_token()?))
        };
    match cli.command {
        Command::Dev(args) => {
            let (settings, stop) = service(&args.settings, args.log_level())?;
            roles::dev::run(&settings, &args, stop).await
        }
        Command::CommandService(args) => {
            let (settings, stop) = service(&args, "info")?;
            roles::command_service::run(&settings, stop).await
        }
        Command::Projectors(args) => {
            let (settings, stop) = service(&args, "info")?;
            roles::projectors::run(&settings, stop).await
        }
        Command::QueryApi(args) => {
            let (settings, stop) = service(&args, "info")?;
            roles::query_api::run(&settings, stop).await
        }
        Command::Migrate(args) => {
            let (settings, _) = service(&args, "warn")?;
            admin::migrate::run(&settings).await
        }
        Command::Config(command) => config(&command),
        other => {
            logging::start(
                &logging(Logging::default()),
                if matches!(other, Command::Worker(_)) { "info" } else { "warn" },
            )?;
            tool(other).await
        }
    }
}

/// Commands that read no configuration of a service.
async fn tool(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Worker(args) => {
            let stop = signals::stop_token()?;
            if args.stop_with_stdin {
                signals::stop_with_stdin(stop.clone());
            }
            let client = Client::new(&args.connection())?;
            worker::run(client, args.options(), stop).await?;
            Ok(())
        }
        Command::Demo(args) => {
            let stop = signals::stop_token()?;
            Ok(cli::demo::run(&args.connection.connection("user/demo"), &args, stop).await?)
        }
        Command::Events(args) => match &args.data {
            Some(dir) => admin::events::run(dir, &args).await,
            None => Ok(cli::events::run(&args).await?),
        },
        Command::Index(args) => {
            let stop = signals::stop_token()?;
            let client = Client::new(&args.connection.connection("user/local"))?;
            Ok(cli::index::run(&client, &args, stop).await?)
        }
        Command::Search(args) => {
            let client = Client::new(&args.connection.connection("user/local"))?;
            Ok(cli::search::run(&client, &args).await?)
        }
        Command::Log(args) => admin::log::run(&args).await,
        Command::Dlq(args) => admin::dlq::run(&args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut commands::parser(), "gesta", &mut script);
            Ok(out::octets(&script)?)
        }
        Command::Dev(_)
        | Command::CommandService(_)
        | Command::Projectors(_)
        | Command::QueryApi(_)
        | Command::Migrate(_)
        | Command::Config(_) => unreachable!("these read the configuration of a service"),
    }
}

fn config(command: &ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Show(args) => {
            let settings = settings::load(args)?;
            Ok(settings::lines(&settings).iter().try_for_each(out::line)?)
        }
        ConfigCommand::Check(args) => {
            settings::load(args)?;
            Ok(out::line("the configuration can be used")?)
        }
    }
}

async fn for_people(people: ForPeople) -> anyhow::Result<()> {
    logging::start(&Logging::default(), "warn")?;
    let client = Client::new(&people.connection.connection("user/local"))?;
    let format = people.output.output;
    let kind = if people.collection == "tasks" { cli::read::Kind::Task } else { cli::read::Kind::Agent };
    match people.what {
        What::Act(verb, matches) => {
            cli::act::run(&client, people.collection, &verb, &matches, format).await?
        }
        What::List(args) => cli::read::list(&client, kind, &args, format).await?,
        What::Get(id, position) => cli::read::get(&client, kind, &id, position.as_deref(), format).await?,
    }
    Ok(())
}
