//! The two systems under load, as processes of their own.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::load::{Running, Share};

/// Running tasks of the load.
const TASKS: usize = 20_000;
/// Queues that they lie in; they cover every shard.
const QUEUES: usize = 64;
/// Commands of the preparation that are under way at once.
const PREPARING: usize = 128;
/// A lease longer than any run, in milliseconds.
const LEASE_MS: u32 = 86_400_000;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the data lies: on the disk of the checkout, not in memory.
pub(crate) fn data_root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let folder = root.join(".local/bench");
    std::fs::create_dir_all(&folder).expect("a folder for the data");
    folder
}

/// The server of the read models.
pub(crate) fn postgres() -> String {
    std::env::var("GESTA_POSTGRES_URL").expect("GESTA_POSTGRES_URL names no server; `make bench` starts one")
}

/// The anchor's process.
pub(crate) struct Anchor {
    _process: Process,
    address: SocketAddr,
}

impl Anchor {
    pub(crate) async fn start(pool: u32) -> Self {
        let me = std::env::current_exe().expect("a bench knows where it is");
        let child =
            Command::new(me).args(["anchor", &postgres(), &pool.to_string()]).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the anchor starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut line).expect("the anchor prints its address");
        Self { _process: Process(child), address: line.trim().parse().expect("an address") }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As many streams as Gesta has tasks, new ones at each call.
    pub(crate) fn streams(&self, connections: usize) -> Vec<Share> {
        let fresh = || format!("/api/v1/tasks/{}/progress", uuid::Uuid::new_v4());
        deal((0..TASKS).map(|_| Running { path: fresh(), token: 1, progress: 0 }), connections)
    }
}

fn deal(tasks: impl Iterator<Item = Running>, connections: usize) -> Vec<Share> {
    let mut shares: Vec<Share> = (0..connections).map(|_| Share::new()).collect();
    for (n, task) in tasks.enumerate() {
        shares[n % connections].push(task);
    }
    shares
}

/// `gesta command-service` alone, or another role.
pub(crate) struct Gesta {
    process: Process,
    address: SocketAddr,
    ops: SocketAddr,
    http: reqwest::Client,
}

/// The executable that was built beside this bench.
pub(crate) fn program() -> PathBuf {
    let me = std::env::current_exe().expect("a bench knows where it is");
    me.ancestors().nth(2).expect("benches lie two folders below the profile's").join("gesta")
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener")
}

impl Gesta {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_as("command-service", data, &[]).await
    }

    /// The same for a role, with settings as environment variables.
    pub(crate) async fn start_as(role: &str, data: &Path, settings: &[(&str, String)]) -> Self {
        let program = program();
        let (listen, ops) = (free_address(), free_address());
        let child = Command::new(&program)
            .arg(role)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .args(["--listen", &listen.to_string(), "--ops-listen", &ops.to_string(), "--data-dir"])
            .arg(data)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --release -p gesta", program.display()));
        let http = reqwest::Client::new();
        let patience = Instant::now() + Duration::from_secs(30);
        let url = format!("http://{ops}/startupz");
        while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(Instant::now() < patience, "gesta did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { process: Process(child), address: listen, ops, http }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Records of the log that the publisher of this process has not published.
    pub(crate) async fn unpublished(&self) -> f64 {
        let answer = self.http.get(format!("http://{}/metrics", self.ops)).send().await.expect("an answer");
        let text = answer.text().await.expect("text");
        let own = |line: &&str| {
            line.starts_with("gesta_projection_lag_records") && line.contains("projection=\"publisher\"")
        };
        let lag = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok());
        text.lines().filter(own).filter_map(lag).sum()
    }

    /// Creates, leases and starts the tasks of the load.
    pub(crate) async fn running_tasks(&self, connections: usize) -> Vec<Share> {
        let tasks = stream::iter(0..TASKS).map(|n| self.running_task(n)).buffer_unordered(PREPARING);
        deal(tasks.collect::<Vec<_>>().await.into_iter(), connections)
    }

    async fn running_task(&self, n: usize) -> Running {
        let queue = format!("bench-{}", n % QUEUES);
        let create =
            json!({ "type": "bench", "title": "bench", "queue": queue, "policy": { "leaseMs": LEASE_MS } });
        let created = self.command("/tasks", &create).await;
        let id = created["aggregateId"].as_str().expect("an id");
        let assigned = self.command(&format!("/tasks/{id}/assign"), &json!({ "worker": "bench" })).await;
        let token = assigned["task"]["fencingToken"].as_u64().expect("a token");
        self.command(&format!("/tasks/{id}/start"), &json!({ "fencingToken": token })).await;
        let token = u32::try_from(token).expect("a small token");
        Running { path: format!("/api/v1/tasks/{id}/progress"), token, progress: 0 }
    }

    async fn command(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}/api/v1{path}", self.address);
        let answer = self.http.post(url).json(body).send().await.expect("an answer");
        let accepted = answer.status().is_success();
        let body: Value = answer.json().await.expect("JSON");
        assert!(accepted, "{path}: {body}");
        body
    }

    /// Largest resident size of the process so far, in MiB.
    pub(crate) fn peak_memory_mib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
    }
}
