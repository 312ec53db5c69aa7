//! Starts, ends, and starts that must not be.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use sqlx::{Connection as _, Executor as _};

use crate::support::database::Database;
use crate::support::gesta::{Gesta, events_of, executable, free_address, run};
use crate::support::tasks::verbs;

/// The first segment of the log in `data`.
fn segment(data: &Path) -> PathBuf {
    data.join("log/segment-00000001.log")
}

/// Runs `gesta dev` on `data` to its end, which must come at once; exit code and what it says.
fn fails(data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let data = data.display().to_string();
    let (listen, ops) = (free_address().to_string(), free_address().to_string());
    let mut arguments = vec!["dev", "--data-dir", &data];
    if !more.contains(&"--listen") {
        arguments.extend(["--listen", &listen]);
    }
    arguments.extend(["--ops-listen", &ops]);
    arguments.extend(more);
    let (code, _, error) = run(&arguments);
    (code, error)
}

/// PLAT-2, PLAT-31, TASK-12: a kill or a stop keeps everything: state, leases, keys, deadlines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    let mut api = gesta.api();
    let held = api.running("kept", json!({ "policy": { "leaseMs": 600_000 } })).await;
    let lost = api.running("lost", json!({ "policy": { "leaseMs": 1_000, "backoffBaseMs": 0 } })).await;
    let body = json!({ "fencingToken": held.token, "progress": 50 });
    let path = format!("tasks/{}/progress", held.id);
    let first = api.command(&path, &body).key("half").send().await.accepted();
    gesta.kill();
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    (api.base, api.ops) = (format!("http://{}", gesta.listen), format!("http://{}", gesta.ops));
    let again = api.command(&path, &body).key("half").send().await.accepted();
    assert_eq!((again.header("idempotency-replayed"), &again.body), (Some("true"), &first.body));
    let other = api.claim("w-2", "lost").await;
    assert_eq!((&other.id, other.token), (&lost.id, 2), "its lease ran out, whoever was there to see it");
    let begun = std::time::Instant::now();
    let status = gesta.stop();
    assert!(status.success() && begun.elapsed().as_secs() < 5, "{status} after {:?}", begun.elapsed());
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    (api.base, api.ops) = (format!("http://{}", gesta.listen), format!("http://{}", gesta.ops));
    api.hold(&held, "complete", json!({})).await;
    assert_eq!(verbs(&api.log_of(&held.id).await), "created queued assigned started progressed succeeded");
    gesta.kill();
    assert_eq!(tests::checker::check_log(&tests::published::read(&events_of(&data)).unwrap()), []);
}

/// PLAT-20: one process on one data folder; the second says which, and the first goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    let (code, error) = fails(&data, &[]);
    assert_eq!(code, Some(7), "{error}");
    assert!(error.contains(&data.display().to_string()) && error.contains("in use"), "{error}");
    let listen = gesta.listen.to_string();
    let (code, error) = fails(&folder.path().join("other"), &["--listen", &listen]);
    assert_eq!(code, Some(6), "{error}");
    assert!(error.contains(&gesta.listen.port().to_string()) && error.contains("--listen"), "{error}");
    assert_eq!(gesta.api().create("still", json!({})).await.status, 201);
}

/// PLAT-20: a busy default port moves on and says so.
#[test]
fn a_busy_default_port_moves_on() {
    let folder = tempfile::tempdir().unwrap();
    // If another program has it, it is busy too.
    let _busy = TcpListener::bind("127.0.0.1:7070");
    let mut child = Command::new(executable())
        .args(["dev", "--ops-listen", &free_address().to_string(), "--data-dir"])
        .arg(folder.path().join("data"))
        .env_remove("GESTA_POSTGRES_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("http://127.0.0.1:70") && !line.contains("http://127.0.0.1:7070/"), "{line}");
}

/// PLAT-20: data of another deployment or another number of shards, and configuration that is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    Gesta::start_anywhere(&data, &database.url).await.kill();
    for (setting, code, parts) in [
        ("data.deployment=other", 8, ["deployment", "other"]),
        ("data.shards=16", 8, ["shards", "16"]),
        ("data.shard=16", 5, ["shard", "config show"]),
        ("server.listen=here", 5, ["server.listen", "config show"]),
    ] {
        let (found, error) = fails(&data, &["--set", setting]);
        assert_eq!(found, Some(code), "{setting}: {error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{setting}: {error}");
    }
}

/// PLAT-20: a queue that is not configured is refused by name where queues are not open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_queue_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    std::fs::write(
        folder.path().join("g.toml"),
        "[queues]\nopen = false\n[queues.named.slow]\nleaseMs = 77000\n",
    )
    .unwrap();
    let mut command = Command::new(executable());
    command.env("GESTA_CONFIG", folder.path().join("g.toml"));
    let mut gesta = Gesta::launch(command, &data, &database.url, free_address(), free_address());
    gesta.wait_for("/startupz", |status, _| status == 200).await;
    let api = gesta.api();
    let body = crate::support::tasks::task("fast", json!({}));
    let refused = api.refused("tasks", body, 422, "unknown_queue").await;
    assert_eq!(refused.text("/errors/0/pointer"), "/queue");
    let claim = json!({ "worker": "w", "queues": ["slow", "fast"] });
    let refused = api.refused("tasks/claim", claim, 422, "unknown_queue").await;
    assert_eq!(refused.text("/errors/0/pointer"), "/queues/1");
    api.create("slow", json!({})).await;
    let claimed = api.done("tasks/claim", json!({ "worker": "w", "queues": ["slow"] })).await;
    assert_eq!(claimed.body["tasks"][0]["leaseMs"], 77_000, "the queue's policy");
}

/// Changes one byte in the middle of the first commit that creates a task; twice, it is as it was.
fn change_a_byte(data: &Path) {
    let mut bytes = std::fs::read(segment(data)).expect("the log has a segment");
    let mark = b"gesta.work.task.created.v1";
    let middle = bytes.windows(mark.len()).position(|window| window == mark).expect("a commit in plain JSON");
    bytes[middle + mark.len() + 2] ^= 1;
    std::fs::write(segment(data), bytes).expect("the segment can be written");
}

/// PLAT-1: a torn tail is cut; a changed byte before it is refused with file and place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_is_cut_and_a_changed_byte_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    gesta.api().create("torn", json!({})).await;
    // An orderly end marks where the log ends: the first commit stays where it is, whatever is torn behind it.
    assert!(gesta.stop().success());
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    for _ in 1..20 {
        gesta.api().create("torn", json!({})).await;
    }
    gesta.kill();
    change_a_byte(&data);
    let (code, error) = fails(&data, &[]);
    assert_eq!(code, Some(8), "{error}");
    assert!(error.contains("segment-00000001.log") && error.contains("at byte"), "{error}");
    change_a_byte(&data);
    let whole = events_of(&data);
    let mut file = std::fs::File::options().append(true).open(segment(&data)).unwrap();
    file.write_all(&[7; 100]).unwrap();
    drop(file);
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    let again = gesta.api().create("torn", json!({})).await;
    gesta.kill();
    assert!(
        whole.lines().count() == 40 && events_of(&data).contains(&again.id()),
        "nothing acknowledged is gone"
    );
    let shown = events_of(&data);
    assert!(whole.lines().all(|line| shown.contains(line)));
    change_a_byte(&data);
    let (code, _, error) = run(&["log", "check", "--data", &data.display().to_string()]);
    assert!(
        code == Some(8) && error.contains("segment-00000001.log"),
        "also where it was sealed: {code:?}: {error}"
    );
}

/// PLAT-28: a database that a newer release migrated is left alone, and readiness says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    Gesta::start_anywhere(&data, &database.url).await.kill();
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let newer = "INSERT INTO gesta._sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (999, 'of a newer release', true, '', 0)";
    connection.execute(newer).await.unwrap();
    let command = Command::new(executable());
    let mut gesta = Gesta::launch(command, &data, &database.url, free_address(), free_address());
    let text =
        gesta.wait_for("/readyz", |status, text| status == 503 && text.contains("newer release")).await;
    assert!(text.contains("999"), "{text}");
}
