//! The executable as a child process, killed when the test ends.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a start may take before the test gives up.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// The executable that `cargo test --workspace` built beside this test.
pub(crate) fn executable() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.ancestors().nth(2).expect("tests lie two folders below the profile's");
    let path = folder.join("gesta");
    assert!(path.exists(), "{} is missing: cargo build -p gesta", path.display());
    path
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}

/// A running `gesta dev`.
pub(crate) struct Gesta {
    child: Child,
    pub(crate) listen: SocketAddr,
    pub(crate) ops: SocketAddr,
}

impl Gesta {
    /// Starts `gesta dev` on `data` and waits until it takes commands.
    pub(crate) async fn start(data: &Path, postgres: &str, listen: SocketAddr, ops: SocketAddr) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(data.with_extension("log"));
        let child = Command::new(executable())
            .arg("dev")
            .args(["--listen", &listen.to_string(), "--ops-listen", &ops.to_string()])
            .arg("--data-dir")
            .arg(data)
            .env("GESTA_POSTGRES_URL", postgres)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file beside the data"))
            .spawn()
            .expect("the executable starts");
        let mut gesta = Self { child, listen, ops };
        gesta.wait_until_started(data).await;
        gesta
    }

    async fn wait_until_started(&mut self, data: &Path) {
        let client = reqwest::Client::new();
        let url = format!("http://{}/startupz", self.ops);
        let patience = Instant::now() + START_PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                panic!("gesta ended with {status}: {}", log_tail(data));
            }
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(Instant::now() < patience, "gesta did not start: {}", log_tail(data));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGKILL, as a power cut would have it, and waits for the end.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }
}

impl Drop for Gesta {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_tail(data: &Path) -> String {
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Every event of the stopped log in `data`, as NDJSON.
pub(crate) fn events_of(data: &Path) -> String {
    let output = Command::new(executable())
        .args(["events", "--data"])
        .arg(data)
        .args(["--all-tenants", "--from", "beginning"])
        .output()
        .expect("the executable starts");
    assert!(output.status.success(), "gesta events: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("NDJSON is UTF-8")
}
