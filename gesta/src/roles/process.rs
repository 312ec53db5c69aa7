//! What every service process has: health, metrics, the second port, and an orderly end.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::command_service::http::serve::{self, Limits};
use ::command_service::http::with_layers;
use anyhow::Context as _;
use axum::Router;
use event_log::Log;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::health::Health;
use super::log::{LOG, watch};
use super::ops::{self, Ops};
use super::ports::listen;
use crate::settings::{DEFAULT_OPS_LISTEN, Settings};

/// How long a service may take from the signal to its end.
pub(crate) const END_WITHIN: Duration = Duration::from_millis(4_500);
/// What of that is left to the servers, however long the rest took.
const SERVERS_END_WITHIN: Duration = Duration::from_millis(300);
/// How long requests in progress may take after the stop.
const DRAIN: Duration = Duration::from_secs(1);

/// A service process.
pub(crate) struct Process {
    /// How its parts are.
    pub(crate) health: Health,
    /// Cancelled by the first signal: no new work.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the servers shall end.
    pub(crate) halt: CancellationToken,
    /// Where the second port listens.
    pub(crate) ops_address: std::net::SocketAddr,
    tasks: TaskTracker,
    log: Arc<OnceLock<Log>>,
    peers: Arc<OnceLock<Router>>,
    told_to_stop: Arc<OnceLock<Instant>>,
    end_within: Duration,
}

impl Process {
    /// Installs the metrics and serves the second port. Once `stop` is cancelled, the process ends within
    /// `end_within`.
    ///
    /// # Errors
    /// When the port is taken.
    pub(crate) async fn new(
        settings: &Settings,
        stop: CancellationToken,
        end_within: Duration,
    ) -> anyhow::Result<Self> {
        let files = serve::raise_open_files();
        tracing::debug!(files, "open files allowed");
        let metrics =
            PrometheusBuilder::new().install_recorder().context("the metrics cannot be installed")?;
        metrics_process::Collector::default().describe();
        let listener = listen(settings.ops.listen, DEFAULT_OPS_LISTEN, "--ops-listen").await?;
        let told_to_stop = Arc::<OnceLock<Instant>>::default();
        let (told, signal) = (Arc::clone(&told_to_stop), stop.clone());
        tokio::spawn(async move {
            signal.cancelled().await;
            told.get_or_init(Instant::now);
        });
        let process = Self {
            health: Health::default(),
            stop,
            halt: CancellationToken::new(),
            ops_address: listener.local_addr()?,
            tasks: TaskTracker::new(),
            log: Arc::default(),
            peers: Arc::default(),
            told_to_stop,
            end_within,
        };
        let (health, log) = (process.health.clone(), Arc::clone(&process.log));
        let peers = Arc::clone(&process.peers);
        let ops = Ops { health, metrics, log, peers, stop: process.halt.clone() };
        process.serve("the second port", listener, ops::router(ops));
        Ok(process)
    }

    /// Shows `log` at the second port. The parts that use it are named before, lest the process be ready without
    /// them.
    pub(crate) fn opened(&self, log: &Log) {
        self.log.get_or_init(|| log.clone());
        self.health.ready(LOG);
        self.spawn(watch(log.clone(), self.health.clone(), self.halt.clone()));
    }

    /// Lets other processes of the command side ask this one at the second port.
    pub(crate) fn admit_peers(&self, router: Router) {
        self.peers.get_or_init(|| router);
    }

    /// Serves `router` until the servers shall end.
    pub(crate) fn serve(&self, what: &'static str, listener: TcpListener, router: Router) {
        let halt = self.halt.clone();
        let limits = Limits { drain: DRAIN, ..Limits::default() };
        self.spawn(async move {
            serve::serve(listener, with_layers(router), limits, halt).await;
            tracing::debug!(what, "ended");
        });
    }

    /// Runs a part of the process; the end of the process waits for it.
    pub(crate) fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(part);
    }

    /// Waits for the first signal and says to everyone that this process is going.
    pub(crate) async fn await_stop(&self) {
        self.stop.cancelled().await;
        self.health.drain();
    }

    /// Ends `first`, then the servers and every part, all by one deadline that began with the signal.
    /// `first` goes before the servers, so that what it finishes is still answered.
    pub(crate) async fn end(self, first: impl Future<Output = ()>) {
        self.health.drain();
        let deadline = *self.told_to_stop.get_or_init(Instant::now) + self.end_within;
        if timeout_at(deadline - SERVERS_END_WITHIN, first).await.is_err() {
            tracing::warn!("what was being written was not confirmed in time; it may count or not");
        }
        self.halt.cancel();
        self.tasks.close();
        if timeout_at(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!("some connections or parts did not end in {:?}; they are cut", self.end_within);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end comes by its deadline, whatever hangs.
    #[tokio::test]
    async fn what_hangs_does_not_keep_the_process() {
        let mut settings = Settings::default();
        settings.ops.listen = Some(([127, 0, 0, 1], 0).into());
        let stop = CancellationToken::new();
        let process = Process::new(&settings, stop.clone(), SERVERS_END_WITHIN).await.unwrap();
        process.spawn(std::future::pending());
        stop.cancel();
        process.await_stop().await;
        let ended = tokio::time::timeout(Duration::from_secs(60), process.end(std::future::pending()));
        ended.await.expect("it waits for neither");
    }
}
