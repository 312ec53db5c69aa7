//! All roles in one process, on one address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::log::open_log;
use super::ports::listen;
use super::process::Process;
use super::{command_service, projectors, query_api};
use crate::cli::demo::{self, DemoArgs, DemoError};
use crate::out;
use crate::settings::args::{ConnectionArgs, SettingsArgs};
use crate::settings::{DEFAULT_LISTEN, Settings};

/// Workers of the demo.
const WORKERS: u32 = 3;
/// How long it may take from the signal to the end, the demo's workers included: who started it may have
/// more to end in five seconds.
const END_WITHIN: Duration = Duration::from_millis(1_750);

/// Flags of `gesta dev`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Show the main job: three workers take the inventory of a repository, one of them is killed.
    #[arg(long)]
    demo: bool,
    /// Repository of the demo.
    #[arg(long, default_value = ".", requires = "demo", value_name = "PATH")]
    repo: PathBuf,
    /// End after the demo.
    #[arg(long, requires = "demo")]
    once: bool,
}

impl DevArgs {
    /// Beside the demo's own lines only what needs attention is logged.
    pub(crate) fn log_level(&self) -> &'static str {
        if self.demo { "warn" } else { "info" }
    }
}

/// Runs everything until a signal or, with `--once`, until the demo is done.
///
/// # Errors
/// When a port or the data are taken, the log is damaged, or the demo failed.
pub(crate) async fn run(settings: &Settings, args: &DevArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let process = Process::new(settings, stop, END_WITHIN).await?;
    let Some(log) = open_log(settings, &process.health, &process.stop).await? else {
        process.end(std::future::ready(())).await;
        return Ok(());
    };
    let listener = listen(settings.server.listen, DEFAULT_LISTEN, "--listen").await?;
    let address = listener.local_addr()?;
    let service = command_service::start(&process, &log, settings)?;
    let reads = match &settings.postgres.url {
        Some(url) => {
            projectors::watch_postgres(&process, url)?;
            let gate = Gate::default();
            projectors::start(&process, settings, log.clone(), url.clone(), gate.clone());
            query_api::router(settings, url, address, &process, &gate)?
        }
        None => {
            tracing::warn!("{}; commands go on, there are no read models", projectors::NO_DATABASE);
            process.health.waiting("postgres", projectors::NO_DATABASE);
            query_api::without_database()
        }
    };
    process.opened(&log);
    let edge = command_service::edge(settings, address);
    process.serve(
        "commands and queries",
        listener,
        ::command_service::http::router(service.clone(), edge).merge(reads),
    );
    announce(address, process.ops_address)?;
    let shown = if args.demo { show(&process, address, args).await } else { Ok(()) };
    if !args.once {
        process.await_stop().await;
    }
    process.end(service.shutdown()).await;
    Ok(shown?)
}

fn announce(address: SocketAddr, ops: SocketAddr) -> std::io::Result<()> {
    tracing::info!(%address, %ops, "Gesta runs");
    out::line(format_args!(
        "Gesta runs at http://{address}/ (commands /api/v1, queries /graphql); health and metrics at http://{ops}/readyz"
    ))
}

/// Shows the demo; on a signal its workers end before the servers go.
async fn show(process: &Process, address: SocketAddr, args: &DevArgs) -> Result<(), DemoError> {
    let connection = ConnectionArgs {
        url: format!("http://{address}"),
        query_url: None,
        tenant: "default".into(),
        actor: None,
    };
    let demo = DemoArgs { connection, repo: args.repo.clone(), workers: WORKERS, worker_url: Vec::new() };
    let connection = demo.connection.connection("user/demo");
    match Box::pin(demo::run(&connection, &demo, process.stop.clone())).await {
        // The services were there all the time; that the demo was cut short is what was asked for.
        Err(DemoError::Stopped) if !args.once => Ok(()),
        Ok(()) if !args.once => {
            out::line("Gesta stays up; Ctrl-C ends it and keeps the data")?;
            Ok(())
        }
        shown => shown,
    }
}
