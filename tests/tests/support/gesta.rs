//! The executable as a child process, killed when the test ends.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::api::Api;

/// How long a start may take before the test gives up; generous, since a start replays the log.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(240);

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

/// A running `gesta dev`, or another role of it.
pub(crate) struct Gesta {
    child: Child,
    data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) ops: SocketAddr,
}

impl Gesta {
    /// Starts `gesta dev` on `data` and waits until it has started.
    pub(crate) async fn start(data: &Path, postgres: &str, listen: SocketAddr, ops: SocketAddr) -> Self {
        let mut gesta = Self::launch(Command::new(executable()), data, postgres, listen, ops);
        gesta.wait_for("/startupz", |status, _| status == 200).await;
        gesta
    }

    /// Starts it on addresses of its own.
    pub(crate) async fn start_anywhere(data: &Path, postgres: &str) -> Self {
        Self::start(data, postgres, free_address(), free_address()).await
    }

    /// Starts it by `command`, the executable itself or a program that runs it, and waits for nothing.
    pub(crate) fn launch(
        mut command: Command,
        data: &Path,
        postgres: &str,
        listen: SocketAddr,
        ops: SocketAddr,
    ) -> Self {
        command.arg("dev");
        Self::launch_role(command, data, postgres, listen, ops)
    }

    /// Starts the role that `command` names and waits for nothing.
    pub(crate) fn launch_role(
        mut command: Command,
        data: &Path,
        postgres: &str,
        listen: SocketAddr,
        ops: SocketAddr,
    ) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(data.with_extension("log"));
        let child = command
            .args(["--listen", &listen.to_string(), "--ops-listen", &ops.to_string()])
            .arg("--data-dir")
            .arg(data)
            .env("GESTA_POSTGRES_URL", postgres)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file beside the data"))
            .spawn()
            .expect("the executable starts");
        Self { child, data: data.to_owned(), listen, ops }
    }

    /// A tenant of its own.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.listen, self.ops)
    }

    /// Waits until a document of the second port is as wanted; an end of the process fails the test.
    pub(crate) async fn wait_for(&mut self, path: &str, wanted: impl Fn(u16, &str) -> bool) -> String {
        let api = self.api();
        let patience = Instant::now() + START_PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                panic!("gesta ended with {status}: {}", log_tail(&self.data));
            }
            let (status, text) = api.ops(path).await;
            if wanted(status, &text) {
                return text;
            }
            assert!(Instant::now() < patience, "{path} is {status}: {text}\n{}", log_tail(&self.data));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGKILL, as a power cut would have it, and waits for the end.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// SIGTERM, and its exit status.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("a stopped child ends")
    }

    /// Most memory that it had so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("a running process has a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        let kilobytes: u64 = peak.and_then(|peak| peak.parse().ok()).expect("VmHWM in kB");
        kilobytes * 1024
    }

    /// Sends a signal, such as STOP.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("kill is everywhere").success(), "the process takes SIG{name}");
    }
}

impl Drop for Gesta {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines that the process on `data` wrote.
pub(crate) fn log_tail(data: &Path) -> String {
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// The last errors that the process on `data` wrote.
pub(crate) fn log_errors(data: &Path) -> String {
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("\"level\":\"ERROR\"")).collect();
    errors[errors.len().saturating_sub(20)..].join("\n")
}

/// Seconds that a command may run before it is ended, with exit code 124.
const RUN_SECONDS: &str = "60";

/// Runs a command of the executable to its end: exit code, standard output, standard error.
pub(crate) fn run(arguments: &[impl AsRef<std::ffi::OsStr>]) -> (Option<i32>, String, String) {
    let output = Command::new("timeout")
        .arg(RUN_SECONDS)
        .arg(executable())
        .args(arguments)
        .env_remove("GESTA_POSTGRES_URL")
        .stdin(Stdio::null())
        .output()
        .expect("the executable starts");
    let text = |octets| String::from_utf8(octets).expect("it writes UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Every event of the stopped log in `data`, as NDJSON.
pub(crate) fn events_of(data: &Path) -> String {
    let output = Command::new(executable())
        .args(["events", "--data"])
        .arg(data)
        .output()
        .expect("the executable starts");
    assert!(output.status.success(), "gesta events: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("NDJSON is UTF-8")
}
