//! The workers of the job: processes of their own, each told apart by its process id.

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::DemoArgs;
use crate::client::Connection;

/// Tasks that a worker of the job does at once.
const CONCURRENCY: u32 = 2;
/// How long the workers may take to end after they were told to, all of them together.
const STOP_WITHIN: Duration = Duration::from_millis(1_200);
/// Lines that may wait to be read.
const LINES: usize = 1_024;

/// What a worker says about itself and its tasks.
#[derive(Debug, Deserialize)]
struct Line {
    what: String,
    worker: String,
}

/// One worker.
struct Member {
    label: String,
    process: Child,
    agent: Option<String>,
    killed: bool,
}

/// The workers of a job.
pub(crate) struct Fleet {
    members: Vec<Member>,
    lines: mpsc::Receiver<(usize, Line)>,
    succeeded: usize,
}

impl Fleet {
    /// Starts the workers, which claim from `queue`, each at the next of their addresses.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start(connection: &Connection, queue: &str, args: &DemoArgs) -> io::Result<Self> {
        let (sender, lines) = mpsc::channel(LINES);
        let mut members = Vec::new();
        let mut urls = args.worker_url.iter().cycle();
        for number in 1..=args.workers {
            let label = format!("worker-{number}");
            let url = urls.next().unwrap_or(&connection.url);
            let mut process = command(connection, url, queue, &label)?.spawn()?;
            listen(members.len(), &mut process, sender.clone());
            members.push(Member { label, process, agent: None, killed: false });
        }
        Ok(Self { members, lines, succeeded: 0 })
    }

    /// Waits for the next line of a worker; the worker that just began a task is named.
    pub(super) async fn heard(&mut self) -> Option<usize> {
        let Some((member, line)) = self.lines.recv().await else {
            // Every worker has ended; whoever watches the job finds out by its standstill.
            return std::future::pending().await;
        };
        let worker = &mut self.members[member];
        worker.agent = Some(line.worker);
        self.succeeded += usize::from(line.what == "succeeded");
        (line.what == "started").then_some(member)
    }

    /// Tasks that the workers have completed.
    pub(super) fn succeeded(&self) -> usize {
        self.succeeded
    }

    /// Whether none was killed yet.
    pub(super) fn all_alive(&self) -> bool {
        self.members.iter().all(|member| !member.killed)
    }

    /// Kills a worker as a power cut would, and says so.
    pub(super) async fn kill(&mut self, member: usize) -> String {
        let worker = &mut self.members[member];
        let id = worker.process.id().unwrap_or_default();
        worker.killed = true;
        match worker.process.kill().await {
            Ok(()) => format!(
                "killed {} (process {id}) on purpose, in the middle of a task; another worker goes on when its lease has run out",
                worker.label
            ),
            Err(error) => format!("{} (process {id}) could not be killed: {error}", worker.label),
        }
    }

    /// Label by agent id.
    pub(super) fn labels(&self) -> BTreeMap<&str, &str> {
        let named =
            self.members.iter().filter_map(|member| Some((member.agent.as_deref()?, member.label.as_str())));
        named.collect()
    }

    /// Label of the worker that was killed.
    pub(super) fn victim(&self) -> Option<&str> {
        self.members.iter().find(|member| member.killed).map(|member| member.label.as_str())
    }

    /// Has every worker drain and end; those that take too long are killed.
    pub(super) async fn stop(mut self) {
        for member in &self.members {
            if let Some(id) = member.process.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                // One that has just ended by itself needs no signal.
                kill_process(id, Signal::TERM).ok();
            }
        }
        let deadline = Instant::now() + STOP_WITHIN;
        for member in &mut self.members {
            if timeout_at(deadline, member.process.wait()).await.is_err() {
                member.process.kill().await.ok();
            }
        }
    }
}

fn command(connection: &Connection, url: &str, queue: &str, label: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--log-level", "warn", "worker", "--output", "ndjson", "--stop-with-stdin"])
        .args([
            "--grace",
            "500ms",
            "--heartbeat",
            "3s",
            "--wait",
            "5s",
            "--patience",
            "20s",
            "--progress-every",
            "200ms",
        ])
        .args(["--url", url, "--tenant", &connection.tenant, "--label", label, "--queues", queue])
        .args(["--concurrency", &CONCURRENCY.to_string()])
        // A group of its own: Ctrl-C reaches the one who started it, which then ends it in order.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

fn listen(member: usize, process: &mut Child, sender: mpsc::Sender<(usize, Line)>) {
    let Some(output) = process.stdout.take() else { return };
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(text)) = lines.next_line().await {
            let Ok(line) = serde_json::from_str(&text) else { continue };
            if sender.send((member, line)).await.is_err() {
                return;
            }
        }
    });
}
