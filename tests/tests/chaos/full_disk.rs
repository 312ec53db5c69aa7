//! A broker whose disk is full: nothing is acknowledged that is not kept, and work goes on when there is space again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tokio::task::block_in_place;

use crate::support::database::Database;
use crate::support::filling::Filling;
use crate::support::gesta::{Gesta, executable, free_address, run};

/// A broker, instance $3 of script $2, in folder $1 on a small disk. A line of input makes the disk larger, ends what is
/// left of the broker and starts it again; both times its address is printed. All of it ends with its input.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=24m tmpfs "$1" && "$2" start "$3" && read -r _ || exit 1
mount -o remount,size=512m "$1" || exit 1
"$2" kill "$3" 1
"$2" start "$3" && read -r _
"#;
/// More commands than the disk holds.
const COMMANDS: usize = 400;

/// The broker, gone with the test.
struct SmallDisk {
    child: Child,
    orders: ChildStdin,
    said: BufReader<ChildStdout>,
    folder: std::path::PathBuf,
}

impl SmallDisk {
    /// Starts it; tells its address.
    fn start() -> (Self, String) {
        let infra = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local"));
        let instance = format!("test/{}/full-disk", std::process::id());
        let folder = infra.join("../../.local").join(&instance);
        let mounted = folder.join("kafka");
        std::fs::create_dir_all(&mounted).expect("the checkout is writable");
        let mut command = Command::new("unshare");
        command.args(["-rmpf", "--kill-child", "--mount-proc", "sh", "-c", SMALL_DISK, "sh"]).arg(&mounted);
        command.arg(infra.join("kafka.sh")).arg(&instance).env_remove("GESTA_KAFKA_BROKERS");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare is there");
        let (orders, said) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let mut disk = Self { child, orders, said: BufReader::new(said), folder };
        let address = disk.address();
        (disk, address)
    }

    fn address(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("it says where it listens");
        assert!(!line.is_empty(), "the broker does not start on a small disk");
        line.trim().to_owned()
    }

    /// Gives it more space and starts it again.
    fn grow(&mut self) -> String {
        writeln!(self.orders, "more").expect("it listens");
        self.address()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
        // Of this process; other tests may have something there.
        let _ = self.folder.parent().map(std::fs::remove_dir);
    }
}

/// PLAT-1: the broker's disk is full, so it dies: commands are answered 503 or 504, and once there is space and it is
/// started again, the same process goes on. Everything acknowledged is there once, and every key resolves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_with_a_full_disk_loses_nothing() {
    let (mut disk, address) = block_in_place(SmallDisk::start);
    let settings = ["--set", "log=kafka", "--set", "data.shards=2", "--kafka-brokers", &address];
    let (code, _, error) = run(&[&["log", "init"], &settings[..]].concat());
    assert_eq!(code, Some(0), "{error}");
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::create().await);
    let mut command = Command::new(executable());
    command.arg("command-service").args(settings);
    let data = folder.path().join("data");
    let mut gesta = Gesta::launch_role(command, &data, &database.url, free_address(), free_address());
    gesta.wait_for("/readyz", |status, _| status == 200).await;
    let api = gesta.api();
    let filling = Filling::until_full(&api, COMMANDS).await;
    assert_eq!(block_in_place(|| disk.grow()), address, "a broker comes back where it was");
    filling.resolve(&api).await;
}
