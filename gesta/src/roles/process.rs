//! What every service process has: health, metrics, the second port, and an orderly end.

use std::future::Future;
use std::time::Duration;

use ::command_service::http::serve::{self, Limits};
use ::command_service::http::with_layers;
use anyhow::Context as _;
use axum::Router;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::health::Health;
use super::ops::{self, Ops};
use super::ports::listen;
use crate::settings::{DEFAULT_OPS_LISTEN, Settings};

/// How long the servers may finish what they have begun; the whole end stays below five seconds.
const END_WITHIN: Duration = Duration::from_millis(1_500);
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
    ops: Option<TcpListener>,
    metrics: PrometheusHandle,
}

impl Process {
    /// Installs the metrics and takes the second port.
    ///
    /// # Errors
    /// When the port is taken.
    pub(crate) async fn new(settings: &Settings, stop: CancellationToken) -> anyhow::Result<Self> {
        let files = serve::raise_open_files();
        tracing::debug!(files, "open files allowed");
        let metrics =
            PrometheusBuilder::new().install_recorder().context("the metrics cannot be installed")?;
        metrics_process::Collector::default().describe();
        let ops = listen(settings.ops.listen, DEFAULT_OPS_LISTEN, "--ops-listen").await?;
        Ok(Self {
            health: Health::default(),
            stop,
            halt: CancellationToken::new(),
            ops_address: ops.local_addr()?,
            tasks: TaskTracker::new(),
            ops: Some(ops),
            metrics,
        })
    }

    /// Serves the second port.
    pub(crate) fn serve_ops(&mut self, log: Option<event_log::Log>) {
        let Some(listener) = self.ops.take() else { return };
        let ops =
            Ops { health: self.health.clone(), metrics: self.metrics.clone(), log, stop: self.halt.clone() };
        self.serve("the second port", listener, ops::router(ops));
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

    /// Ends the servers and every part, within a bounded time.
    pub(crate) async fn end(self) {
        self.health.drain();
        self.halt.cancel();
        self.tasks.close();
        if tokio::time::timeout(END_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("some connections or parts did not end in {END_WITHIN:?}; they are cut");
        }
    }
}
