//! Every role in a process of its own on a real Kafka, with proxies between them where a test asks for it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::api::Api;
use crate::support::brokers::Brokers;
use crate::support::database::Database;
use crate::support::gesta::{Gesta, executable, free_address, log_errors, log_tail, run};
use crate::support::proxy::Proxy;

/// Shards of the log: fewer than in production, so that every replica is owner and follower.
const SHARDS: u8 = 4;

/// Processes of projectors; one is enough, the second is harmless.
const PROJECTORS: usize = 2;

/// The ways to and from a process that lead through a proxy.
#[derive(Default)]
pub(crate) struct Lines {
    /// From it to the brokers.
    pub(crate) brokers: Option<Proxy>,
    /// From other replicas to it.
    pub(crate) peers: Option<Proxy>,
    /// From clients to it.
    pub(crate) clients: Option<Proxy>,
}

/// One process and where it is started again.
pub(crate) struct Node {
    role: &'static str,
    data: PathBuf,
    listen: SocketAddr,
    pub(crate) ops: SocketAddr,
    pub(crate) lines: Lines,
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
    /// Starts all of it on one broker, with every line of replicas and projectors through a proxy, and waits until
    /// every part is ready.
    pub(crate) async fn with_proxies(name: &'static str, replicas: usize) -> Self {
        let (brokers, proxies) = Brokers::with_detours(name, replicas + PROJECTORS).await;
        let mut cluster = Self::of(brokers, replicas).await;
        let nodes = cluster.replicas.iter_mut().chain(&mut cluster.projectors);
        for (node, proxy) in nodes.zip(proxies) {
            node.lines.brokers = Some(proxy);
        }
        for replica in &mut cluster.replicas {
            replica.lines.peers = Some(Proxy::start(replica.ops.to_string()).await);
            replica.lines.clients = Some(Proxy::start(replica.listen.to_string()).await);
        }
        cluster.initialise().await;
        cluster
    }

    /// Starts all of it on `brokers` and waits until every part is ready.
    pub(crate) async fn start(brokers: Brokers, replicas: usize) -> Self {
        let mut cluster = Self::of(brokers, replicas).await;
        cluster.initialise().await;
        cluster
    }

    async fn of(brokers: Brokers, replicas: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let node = |role: &'static str, number: usize| Node {
            role,
            data: folder.path().join(format!("{role}-{number}")),
            listen: free_address(),
            ops: free_address(),
            lines: Lines::default(),
            process: None,
        };
        Self {
            database: Database::create().await,
            replicas: (0..replicas).map(|number| node("command-service", number)).collect(),
            projectors: (0..PROJECTORS).map(|number| node("projectors", number)).collect(),
            queries: node("query-api", 0),
            _folder: folder,
            brokers,
        }
    }

    async fn initialise(&mut self) {
        let (code, _, error) = run(&self.log(&["init"]));
        assert_eq!(code, Some(0), "{error}");
        self.restore().await;
    }

    /// The arguments of `gesta log` for this log.
    fn log(&self, arguments: &[&'static str]) -> Vec<String> {
        let words = ["log"].iter().chain(arguments).map(|word| (*word).to_owned());
        words.chain(settings(&self.brokers.addresses)).collect()
    }

    /// Starts what is dead.
    pub(crate) fn restart(&mut self) {
        for node in self.replicas.iter_mut().chain(&mut self.projectors).chain([&mut self.queries]) {
            node.start(&self.brokers.addresses, &self.database.url);
        }
    }

    /// Mends every line, starts what is dead and waits until every part is ready.
    pub(crate) async fn restore(&mut self) {
        self.lines().iter().for_each(|line| line.mend());
        self.restart();
        self.ready().await;
    }

    /// Waits until every part is ready.
    pub(crate) async fn ready(&mut self) {
        for node in self.replicas.iter_mut().chain(&mut self.projectors).chain([&mut self.queries]) {
            node.ready().await;
        }
    }

    /// Most memory that each process had, in MiB, with its role.
    pub(crate) fn peaks(&self) -> Vec<(&'static str, u64)> {
        let nodes = self.replicas.iter().chain(&self.projectors).chain([&self.queries]);
        let running = nodes.filter_map(|node| Some((node.role, node.process.as_ref()?)));
        running.map(|(role, process)| (role, process.peak_memory() / 1024 / 1024)).collect()
    }

    /// Every proxy.
    pub(crate) fn lines(&self) -> Vec<&Proxy> {
        let lines = self.replicas.iter().chain(&self.projectors).map(|node| &node.lines);
        lines.flat_map(|lines| [&lines.brokers, &lines.peers, &lines.clients]).flatten().collect()
    }

    /// Records in the log that a replica wrote after another one's claim.
    pub(crate) fn stale_records(&self) -> usize {
        let output =
            Command::new(executable()).args(self.log(&["show", "--void", "--output", "json"])).output();
        let output = output.expect("the executable starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let void: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a list of void records");
        let late = |record: &&Value| {
            let wanted = record["wanted"].as_str().and_then(|wanted| wanted.split(' ').nth(1)?.parse().ok());
            record["kind"] != "CLAIM" && record["epoch"].as_u64() < wanted
        };
        void.iter().filter(late).count()
    }

    /// The errors of every process and the last that it said, for a run that failed.
    pub(crate) fn last_words(&self) -> String {
        let nodes = self.replicas.iter().chain(&self.projectors).chain([&self.queries]);
        let said = nodes.map(|node| {
            let (errors, last) = (log_errors(&node.data), log_tail(&node.data));
            format!("{}, errors:\n{errors}\nlast:\n{last}\n", node.data.display())
        });
        said.collect()
    }
}

/// The flags of a process that reaches the brokers at `brokers`.
fn settings(brokers: &str) -> Vec<String> {
    let flags = ["--set", "log=kafka", "--set", &format!("data.shards={SHARDS}"), "--kafka-brokers", brokers];
    flags.iter().map(|&flag| flag.to_owned()).collect()
}

impl Node {
    fn start(&mut self, brokers: &str, postgres: &str) {
        if self.process.is_some() {
            return;
        }
        let mut command = Command::new(executable());
        let brokers = self.lines.brokers.as_ref().map_or(brokers.to_owned(), |line| line.address.to_string());
        command.arg(self.role).args(settings(&brokers));
        if let Some(line) = &self.lines.peers {
            command.args(["--set", &format!("peers.address={}", line.address)]);
        }
        self.process = Some(Gesta::launch_role(command, &self.data, postgres, self.listen, self.ops));
    }

    async fn ready(&mut self) {
        let process = self.process.as_mut().expect("it was started");
        process.wait_for("/readyz", |status, _| status == 200).await;
    }

    /// Where clients ask, `http://host:port`.
    pub(crate) fn address(&self) -> String {
        let address = self.lines.clients.as_ref().map_or(self.listen, |line| line.address);
        format!("http://{address}")
    }

    /// Health, metrics and events, past every proxy.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.listen, self.ops)
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

/// Whether the replicas `nodes` own every shard between them.
pub(crate) async fn own_all(nodes: &[&Node]) -> bool {
    let mut owned = 0.0;
    for node in nodes {
        let (_, metrics) = node.api().ops("/metrics").await;
        let shards = metrics.lines().filter_map(|line| line.strip_prefix("gesta_shard_owner{"));
        owned += shards.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>();
    }
    owned >= f64::from(SHARDS)
}
