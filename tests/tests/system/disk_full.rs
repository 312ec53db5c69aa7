//! A disk without space: nothing is acknowledged that is not kept, and work goes on when there is space again.

use std::process::Command;

use crate::support::database::Database;
use crate::support::filling::Filling;
use crate::support::gesta::{Gesta, executable, free_address};

/// A small disk at $1 that grows when the file $2 appears; the rest is what runs on it.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=3m tmpfs "$1" || exit 1
( until [ -e "$2" ]; do kill -0 $$ || exit; sleep 0.05; done; mount -o remount,size=64m "$1" ) &
shift 2
exec "$@"
"#;
/// More commands than the disk holds.
const COMMANDS: usize = 60;

/// PLAT-1, PLAT-8: no acknowledgement without space, a clear 5xx, recovery in the same process; every key resolves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_acknowledges_nothing_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let (data, more_space) = (folder.path().join("data"), folder.path().join("more-space"));
    std::fs::create_dir(&data).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", SMALL_DISK, "sh"]).arg(&data).arg(&more_space).arg(executable());
    let database = Database::create().await;
    let mut gesta = Gesta::launch(command, &data, &database.url, free_address(), free_address());
    gesta.wait_for("/startupz", |status, _| status == 200).await;
    let api = gesta.api();
    let filling = Filling::until_full(&api, COMMANDS).await;
    std::fs::write(&more_space, "").unwrap();
    filling.resolve(&api).await;
    gesta.wait_for("/readyz", |status, _| status == 200).await;
}
