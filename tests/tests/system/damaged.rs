//! Data that this release must not touch, and data of which one shard is damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::gesta::{Gesta, executable, free_address, run};
use crate::support::tasks::task;

/// Byte of a segment file in which its format begins, a number of 32 bits, little-endian.
const FORMAT_AT: usize = 8;

fn segment(data: &Path, number: u32) -> PathBuf {
    data.join(format!("log/segment-{number:08}.log"))
}

/// Every file below `folder` with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).expect("a file that can be read");
            all.insert(path, bytes);
        }
    }
    all
}

/// PLAT-28: a log of a newer format is refused by every command that reads it, and left as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_a_newer_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    gesta.api().create("newer", json!({})).await;
    assert!(gesta.stop().success());
    let mut bytes = std::fs::read(segment(&data, 1)).unwrap();
    bytes[FORMAT_AT] += 1;
    std::fs::write(segment(&data, 1), bytes).unwrap();
    let before = files(&data);
    let (text, listen, ops) =
        (data.display().to_string(), free_address().to_string(), free_address().to_string());
    for arguments in [
        &["dev", "--data-dir", &text, "--listen", &listen, "--ops-listen", &ops][..],
        &["events", "--data", &text],
        &["log", "check", "--data", &text],
        &["log", "show", "--data", &text],
    ] {
        let (code, output, error) = run(arguments);
        assert_eq!((code, output.as_str()), (Some(8), ""), "{arguments:?}: {error}");
        let named = error.contains("format") && error.contains("newer release") && error.contains(&text);
        assert!(named, "{arguments:?}: {error}");
        assert!(files(&data) == before, "{arguments:?} changed a file");
    }
}

/// Makes the log go on in a second segment, as the cut of a torn end does.
fn tear(data: &Path) {
    let mut bytes = std::fs::read(segment(data, 1)).expect("a first segment");
    bytes.extend([7; 100]);
    std::fs::write(segment(data, 1), bytes).expect("a segment that can be written");
}

/// Changes one byte of the commit in the first segment that holds `text`.
fn damage(data: &Path, text: &str) {
    let mut bytes = std::fs::read(segment(data, 1)).expect("a first segment");
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes());
    bytes[at.expect("a commit in plain JSON") + text.len() / 2] ^= 1;
    std::fs::write(segment(data, 1), bytes).expect("a segment that can be written");
}

/// PLAT-1: damage in a part of the log that is not written any more stops the shard that needs it, by name; the
/// others are served by the same process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_sealed_segment_stops_only_its_shard() {
    let folder = tempfile::tempdir().unwrap();
    let (data, database) = (folder.path().join("data"), Database::create().await);
    let gesta = Gesta::start_anywhere(&data, &database.url).await;
    let api = gesta.api();
    let broken = api.create("broken", json!({})).await;
    // What a killed process wrote last is copied into the next segment; this must stay in the first.
    assert!(gesta.stop().success());
    tear(&data);
    Gesta::start_anywhere(&data, &database.url).await.kill();
    assert!(segment(&data, 2).exists(), "the first segment is sealed");
    damage(&data, &broken.id());
    // With its checkpoint the service would not read so far back.
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let mut gesta =
        Gesta::launch(Command::new(executable()), &data, &database.url, free_address(), free_address());
    let told = |status, text: &str| status == 503 && text.contains("stopped where the log cannot be read");
    let text = gesta.wait_for("/readyz", told).await;
    let readiness: Value = serde_json::from_str(&text).unwrap();
    let reason = readiness["parts"]["commands"]["reason"].as_str().unwrap();
    assert!(reason.contains("segment-00000001.log: damaged at byte"), "{reason}");
    assert_eq!(reason.matches("shard ").count(), 1, "one shard: {reason}");
    let one = |text: &str| {
        text.lines().filter(|line| line.starts_with("gesta_shard_stopped{") && line.ends_with(" 1")).count()
            == 1
    };
    gesta.wait_for("/metrics", |_, text| one(text)).await;
    let api = gesta.api().as_tenant(&api.tenant);
    let refused = api.refused("tasks", task("broken", json!({})), 503, "shard_stopped").await;
    assert!(refused.text("/detail").contains("segment-00000001.log"), "{refused:#?}");
    let mut served = 0;
    for queue in 0..16 {
        let answer = api.command("tasks", &task(&format!("queue-{queue}"), json!({}))).send().await;
        served += usize::from(answer.status == 201);
    }
    assert!(served > 0, "the other shards take commands");
    assert!(gesta.stop().success());
}
