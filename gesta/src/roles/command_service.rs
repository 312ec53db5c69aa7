//! The write side: the log, the shards, the HTTP edge.

use std::net::SocketAddr;
use std::time::Duration;

use ::command_service::http::{EdgeConfig, Queues};
use ::command_service::service::{Service, ServiceOptions, peer_router};
use event_log::Log;
use tokio_util::sync::CancellationToken;

use super::log::open_log;
use super::ports::listen;
use super::process::{END_WITHIN, Process};
use crate::settings::{DEFAULT_LISTEN, LogPlace, Settings, SettingsError};

/// Name of this part in `/readyz`.
const PART: &str = "commands";
/// Time between two looks at the shards.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Starts the shards and keeps `/readyz` told of them.
///
/// # Errors
/// When the service does not start.
pub(crate) fn start(process: &Process, log: &Log, settings: &Settings) -> anyhow::Result<Service> {
    let options = options(settings, process.ops_address)?;
    let service = Service::start(log, &options)?;
    if !options.exclusive {
        process.admit_peers(peer_router(service.clone(), &options.secret));
    }
    process.health.starting(PART, "the shards read the log");
    let (health, halt, watched) = (process.health.clone(), process.halt.clone(), service.clone());
    process.spawn(async move {
        loop {
            let status = watched.status();
            let stopped: Vec<_> =
                status.stopped().map(|(shard, place)| format!("shard {shard}: {place}")).collect();
            if status.is_ready() {
                health.ready(PART);
            } else if stopped.is_empty() {
                let waiting = status
                    .shards
                    .iter()
                    .map(|shard| shard.end.saturating_sub(shard.next_offset))
                    .sum::<u64>();
                health.starting(PART, format!("the shards read the log, {waiting} records to go"));
            } else {
                let places = stopped.join("; ");
                health.waiting(
                    PART,
                    format!("stopped where the log cannot be read: {places}; of damage `gesta log check` tells more"),
                );
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = halt.cancelled() => return,
            }
        }
    });
    Ok(service)
}

/// How the service runs on the configured log, in a process whose second port listens on `ops`.
fn options(settings: &Settings, ops: SocketAddr) -> Result<ServiceOptions, SettingsError> {
    let (store, revisions) = (Some(settings.data.state_dir()), settings.events.revisions()?);
    if settings.log == LogPlace::Embedded {
        return Ok(ServiceOptions { store, revisions, ..ServiceOptions::default() });
    }
    let refuse =
        |key, value: String, problem: &str| SettingsError::Value { key, value, problem: problem.into() };
    let secret = settings.peers.secret.clone().unwrap_or_default();
    if secret.is_empty() && !ops.ip().is_loopback() {
        let problem = "other machines reach ops.listen, and the processes that share the log forward commands there: \
                       set the same peers.secret, or peers.secret_file, for all of them";
        return Err(refuse("peers.secret", "nothing".into(), problem));
    }
    let address = match &settings.peers.address {
        Some(address) => address.clone(),
        None if ops.ip().is_unspecified() => {
            let problem =
                "no other process can reach it by that: set peers.address to the HOST:PORT of this machine";
            return Err(refuse("ops.listen", ops.to_string(), problem));
        }
        None => ops.to_string(),
    };
    Ok(ServiceOptions { store, address, secret, exclusive: false, revisions })
}

/// What the HTTP edge needs of the configuration.
pub(crate) fn edge(settings: &Settings, address: std::net::SocketAddr) -> EdgeConfig {
    let queues = Queues { open: settings.queues.open, named: settings.queues.named.clone() };
    EdgeConfig { queues, trusts_headers: address.ip().is_loopback() }
}

/// Runs the write side alone until a signal.
///
/// # Errors
/// When a port or the data are taken, or the log is damaged.
pub(crate) async fn run(settings: &Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let process = Process::new(settings, stop, END_WITHIN).await?;
    let Some(log) = open_log(settings, &process.health, &process.stop).await? else {
        process.end(std::future::ready(())).await;
        return Ok(());
    };
    let listener = listen(settings.server.listen, DEFAULT_LISTEN, "--listen").await?;
    let service = start(&process, &log, settings)?;
    process.opened(&log);
    let address = listener.local_addr()?;
    tracing::info!(%address, ops = %process.ops_address, "commands are taken");
    process.serve(
        "commands",
        listener,
        ::command_service::http::router(service.clone(), edge(settings, address)),
    );
    process.await_stop().await;
    process.end(service.shutdown()).await;
    Ok(())
}
