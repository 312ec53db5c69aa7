//! Every role in a process of its own on a real Kafka.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::support::brokers::Brokers;
use crate::support::database::Database;
use crate::support::gesta::{Gesta, executable, free_address, log_tail, run};

/// Shards of the log: fewer than in production, so that every replica is owner and follower.
const SHARDS: &str = "data.shards=4";

/// Processes of projectors; one is enough, the second is harmless.
const PROJECTORS: usize = 2;

/// One process and where it is started again.
pub(crate) struct Node {
    role: &'static str,
    data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) ops: SocketAddr,
    /// None while it is dead.
    process: Option<Gesta>,
}

/// Brokers, replicas of the command service, two processes of projectors on the same shards, the queries.
pub(crate) struct Cluster {
    pub(crate) brokers: Brokers,
    database: Database,
    _folder: tempfile::TempDir,
    pub(crate) replicas: Vec<Node>,
    pub(crate) projectors: Vec<Node>,
    pub(crate) queries: Node,
}

impl Cluster {
    /// Starts all of it and waits until every part is ready.
    pub(crate) async fn start(name: &'static str, nodes: u64, replicas: usize) -> Self {
        let brokers = tokio::task::spawn_blocking(move || Brokers::start(name, nodes));
        let brokers = brokers.await.expect("the brokers start");
        let folder = tempfile::tempdir().expect("a folder for the test");
        let node = |role: &'static str, number: usize| Node {
            role,
            data: folder.path().join(format!("{role}-{number}")),
            listen: free_address(),
            ops: free_address(),
            process: None,
        };
        let mut cluster = Self {
            database: Database::create().await,
            replicas: (0..replicas).map(|number| node("command-service", number)).collect(),
            projectors: (0..PROJECTORS).map(|number| node("projectors", number)).collect(),
            queries: node("query-api", 0),
            _folder: folder,
            brokers,
        };
        let settings = cluster.settings();
        let init: Vec<&str> =
            ["log", "init"].into_iter().chain(settings.iter().map(String::as_str)).collect();
        let (code, _, error) = run(&init);
        assert_eq!(code, Some(0), "{error}");
        cluster.restore().await;
        cluster
    }

    fn settings(&self) -> [String; 6] {
        let flag = |text: &str| text.to_owned();
        [
            flag("--set"),
            flag("log=kafka"),
            flag("--set"),
            flag(SHARDS),
            flag("--kafka-brokers"),
            self.brokers.addresses.clone(),
        ]
    }

    /// Starts what is dead.
    pub(crate) fn restart(&mut self) {
        let settings = self.settings();
        for node in self.replicas.iter_mut().chain(&mut self.projectors).chain([&mut self.queries]) {
            node.start(&settings, &self.database.url);
        }
    }

    /// Starts what is dead and waits until every part is ready.
    pub(crate) async fn restore(&mut self) {
        self.restart();
        for node in self.replicas.iter_mut().chain(&mut self.projectors).chain([&mut self.queries]) {
            node.ready().await;
        }
    }

    /// The last that every process said, for a run that failed.
    pub(crate) fn last_words(&self) -> String {
        let nodes = self.replicas.iter().chain(&self.projectors).chain([&self.queries]);
        let said = nodes.map(|node| format!("{}:\n{}\n", node.data.display(), log_tail(&node.data)));
        said.collect()
    }
}

impl Node {
    fn start(&mut self, settings: &[String], postgres: &str) {
        if self.process.is_some() {
            return;
        }
        let mut command = Command::new(executable());
        command.arg(self.role).args(settings);
        self.process = Some(Gesta::launch_role(command, &self.data, postgres, self.listen, self.ops));
    }

    async fn ready(&mut self) {
        let process = self.process.as_mut().expect("it was started");
        process.wait_for("/readyz", |status, _| status == 200).await;
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGSTOP, or SIGCONT.
    pub(crate) fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name);
        }
    }
}
