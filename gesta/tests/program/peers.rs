//! Processes that share a log but must not, or cannot, own its shards or pass commands on.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::database::Database;
use crate::gesta::until;
use crate::kafka::Topic;
use crate::replicas::total;

const OWNED: &str = "gesta_shard_owner";

/// A clock that is as many seconds off as a file says.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    if (done == 0 && id == CLOCK_REALTIME) {
        char text[16] = {0};
        int file = open(getenv("CLOCK_OFF_BY"), O_RDONLY);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0) at->tv_sec += atol(text);
            close(file);
        }
    }
    return done;
}
"#;

/// The library that a program loads before the system's own.
fn clock(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    std::fs::write(&source, CLOCK).unwrap();
    let mut compiler = std::process::Command::new("cc");
    let made = compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    library
}

/// PLAT-6, PLAT-11: a process whose clock is not the brokers' owns nothing, passes commands on to who does, and takes part
/// again once its clock is set.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_a_wrong_clock_owns_nothing() {
    let (topic, database) = (Topic::new(), Database::new().await);
    assert!(topic.log(&["init"]).await.status.success());
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let library = clock(folders[2].path());
    let off_by = folders[2].path().join("seconds");
    std::fs::write(&off_by, "-60").unwrap();
    let environment = [("LD_PRELOAD", library.to_str().unwrap()), ("CLOCK_OFF_BY", off_by.to_str().unwrap())];
    let (url, folder) = (database.url(), folders[0].path());
    let mut wrong = topic.role_with("command-service", folder, &url, &environment).await;
    let said = |line: &str| line.contains("clock differs from the brokers'").then_some(());
    wrong.running.line("what it says", said).await;
    let right = topic.role("command-service", folders[1].path(), &database.url()).await;
    until("all shards at the other", || async { (total(&right, OWNED).await == 3.0).then_some(()) }).await;
    wrong.ready(true).await;
    assert_eq!(total(&wrong, OWNED).await, 0.0);
    let (status, created) = wrong.command("tasks", json!({ "type": "note", "title": "one" })).await;
    assert_eq!(status, 201, "{created}");
    std::fs::write(&off_by, "0").unwrap();
    until("its share", || async { (total(&wrong, OWNED).await > 0.0).then_some(()) }).await;
    for role in [wrong, right] {
        assert_eq!(role.stop().await, Some(0));
    }
}

/// PLAT-6: a process that shows another secret, or none, is refused by the owner of a shard, and says so; nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_hop_with_another_secret_is_refused() {
    let (topic, database) = (Topic::new(), Database::new().await);
    assert!(topic.log(&["init"]).await.status.success());
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut replicas = Vec::new();
    for (folder, secret) in folders.iter().zip(["right", "wrong"]) {
        let environment = [("GESTA__PEERS__SECRET", secret)];
        replicas.push(topic.role_with("command-service", folder.path(), &database.url(), &environment).await);
    }
    let shared = async || {
        let owned = (total(&replicas[0], OWNED).await, total(&replicas[1], OWNED).await);
        (owned.0 + owned.1 == 3.0 && owned.0 > 0.0 && owned.1 > 0.0).then_some(())
    };
    until("the shards shared", shared).await;
    let http = reqwest::Client::new();
    let (mut taken, mut refused) = (0, 0);
    for queue in 0..12 {
        let task = json!({ "type": "note", "title": "one", "queue": format!("q{queue}") });
        let asked =
            http.post(format!("{}/api/v1/tasks", replicas[1].url)).header("prefer", "wait=1").json(&task);
        let answer = asked.send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        if status == 201 {
            taken += 1;
            continue;
        }
        let detail = body["detail"].as_str().unwrap();
        assert_eq!(status, 503, "{body}");
        assert!(detail.contains("refuses this process; compare peers.secret"), "{body}");
        refused += 1;
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
    assert!(!replicas[0].ops("/metrics").await.1.contains("gesta_hops_served_total"), "it served none");

    let ask = format!("{}/internal/v1/ask", replicas[0].ops);
    let unsigned = http.post(&ask).header("x-gesta-hops", "1").body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert!(unsigned.text().await.unwrap().contains("peers.secret"));
    let looping = http.post(&ask).header("x-gesta-secret", "right").header("x-gesta-hops", "2").body("{}");
    let looping = looping.send().await.unwrap();
    assert_eq!(looping.status(), 400, "a command makes one hop");
    for role in replicas {
        assert_eq!(role.stop().await, Some(0));
    }
}
