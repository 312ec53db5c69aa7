//! One running system for all tests that leave it as it is: each of them is a tenant of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::api::{Api, http};
use super::database::Database;
use super::gesta::{START_PATIENCE, executable, free_address};

/// Ends the executable and removes its data when its input closes: that is when the test process is gone, however
/// it went.
const GUARD: &str = r#"data=$1; shift; "$@" </dev/null & read -r _; kill -KILL $!; wait; rm -rf "$data""#;

struct Shared {
    listen: SocketAddr,
    ops: SocketAddr,
    _guard: (Child, ChildStdin),
}

/// A tenant of the shared system, which the first caller starts.
pub(crate) async fn api() -> Api {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let shared = SHARED.get_or_init(start).await;
    Api::new(shared.listen, shared.ops)
}

async fn start() -> Shared {
    let database = Database::create().await;
    let folder = tempfile::tempdir().expect("a folder for the data").keep();
    let log = std::fs::File::create(folder.join("log.txt")).expect("a file for the log");
    let (listen, ops) = (free_address(), free_address());
    let mut guard = Command::new("sh")
        .args(["-c", GUARD, "sh"])
        .arg(&folder)
        .arg(executable())
        .args(["dev", "--listen", &listen.to_string(), "--ops-listen", &ops.to_string(), "--data-dir"])
        .arg(folder.join("data"))
        .env("GESTA_POSTGRES_URL", database.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("a shell starts");
    let mut input = guard.stdin.take().expect("its input is a pipe");
    let patience = Instant::now() + START_PATIENCE;
    let client = http();
    while !client.get(format!("http://{ops}/startupz")).send().await.is_ok_and(|a| a.status().is_success()) {
        if Instant::now() > patience {
            let log = std::fs::read_to_string(folder.join("log.txt")).unwrap_or_default();
            let _ = input.write_all(b"\n");
            panic!("the shared system did not start: {log}");
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Shared { listen, ops, _guard: (guard, input) }
}
