//! Processes whose clock is wrong, or is set while they run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database::Database;
use crate::gesta::{Gesta, until};
use crate::kafka::Topic;
use crate::replicas::total;

const OWNED: &str = "gesta_shard_owner";
/// Queues, so many that each shard has some.
const QUEUES: usize = 12;
/// What a shard is late with when others take over; far from the hour that a clock is off.
const LATE: TimeDelta = TimeDelta::minutes(20);

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

/// A clock that a test sets.
struct Clock {
    folder: TempDir,
    library: PathBuf,
}

impl Clock {
    fn off_by(seconds: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Self { library: clock(folder.path()), folder };
        clock.set(seconds);
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("seconds")
    }

    /// Renamed into its place, so that nobody reads half of it.
    fn set(&self, seconds: &str) {
        let next = self.folder.path().join("next");
        std::fs::write(&next, seconds).unwrap();
        std::fs::rename(&next, self.file()).unwrap();
    }

    /// A replica that lives by it.
    async fn replica(&self, topic: &Topic, data: &Path, database: &str) -> Gesta {
        let file = self.file();
        let environment =
            [("LD_PRELOAD", self.library.to_str().unwrap()), ("CLOCK_OFF_BY", file.to_str().unwrap())];
        topic.role_with("command-service", data, database, &environment).await
    }
}

async fn distrusts_its_clock(replica: &mut Gesta) {
    let said = |line: &str| line.contains("clock differs from the brokers'").then_some(());
    replica.running.line("what it says", said).await;
}

/// PLAT-6, PLAT-11: a process whose clock is not the brokers' owns nothing, passes commands on to who does, and takes part
/// again once its clock is set.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_a_wrong_clock_owns_nothing() {
    let (topic, database) = (Topic::new(), Database::new().await);
    assert!(topic.log(&["init"]).await.status.success());
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let clock = Clock::off_by("-60");
    let mut wrong = clock.replica(&topic, folders[0].path(), &database.url()).await;
    distrusts_its_clock(&mut wrong).await;
    let right = topic.role("command-service", folders[1].path(), &database.url()).await;
    until("all shards at the other", || async { (total(&right, OWNED).await == 3.0).then_some(()) }).await;
    wrong.ready(true).await;
    assert_eq!(total(&wrong, OWNED).await, 0.0);
    let (status, created) = wrong.command("tasks", json!({ "type": "note", "title": "one" })).await;
    assert_eq!(status, 201, "{created}");
    clock.set("0");
    until("its share", || async { (total(&wrong, OWNED).await > 0.0).then_some(()) }).await;
    for role in [wrong, right] {
        assert_eq!(role.stop().await, Some(0));
    }
}

/// Tasks of each queue with a lease of `lease_ms`, all of them leased; the leases.
async fn leased(replica: &Gesta, key: &str, lease_ms: u32) -> Vec<Value> {
    let mut leases = Vec::new();
    for queue in 0..QUEUES {
        let queue = format!("{key}{queue}");
        let policy = json!({ "leaseMs": lease_ms, "backoffBaseMs": 0 });
        replica.task(json!({ "type": "note", "title": key, "queue": queue, "policy": policy })).await;
        let claim = json!({ "worker": key, "queues": [queue], "max": 1 });
        let (status, claimed) = replica.command("tasks/claim", claim).await;
        assert_eq!(status, 200, "{claimed}");
        leases.extend(claimed["tasks"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(leases.len(), QUEUES);
    leases
}

/// Every event, in the order of the log within its shard.
async fn events(replica: &Gesta) -> Vec<Value> {
    let (status, text) = replica.ops("/events").await;
    assert_eq!(status, 200, "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no instant")).parse().unwrap()
}

/// Ends of leases by shard time: none before its instant, none late by what a clock is off, all those of `short`.
fn check_ends(events: &[Value], short: &[Value], long: &[Value]) {
    let named = |lease: &Value| lease["id"].as_str().unwrap().to_owned();
    let promised: BTreeMap<String, DateTime<Utc>> =
        short.iter().map(|lease| (named(lease), instant(&lease["leaseExpiresAt"]))).collect();
    let long: BTreeSet<String> = long.iter().map(named).collect();
    let mut ended = BTreeSet::new();
    for event in events.iter().filter(|event| event["type"] == "gesta.work.task.lease_expired.v1") {
        let subject = event["subject"].as_str().unwrap();
        let task = subject.rsplit_once('/').unwrap().1.to_owned();
        assert!(!long.contains(&task), "an hour early: {event}");
        let late = instant(&event["time"]) - promised[&task];
        assert!(late >= TimeDelta::zero() && late < LATE, "{late} after its end: {event}");
        ended.insert(task);
    }
    assert!(promised.keys().all(|task| ended.contains(task)), "{promised:?}, but {ended:?} ended");
}

/// PLAT-6, PLAT-11, TASK-10: the clock of a replica is set by an hour, then it takes over from one that is killed. It
/// says that its clock is wrong, decides nothing by it and leaves the shards to others; what it owned before goes on by
/// shard time. No lease ends early, none an hour late, and time never goes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_with_a_clock_an_hour_ahead() {
    takeover("3600").await;
}

/// The same with one that is behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_with_a_clock_an_hour_behind() {
    takeover("-3600").await;
}

async fn takeover(seconds: &str) {
    let (topic, database) = (Topic::new(), Database::new().await);
    assert!(topic.log(&["init"]).await.status.success());
    let (folders, clock) = ([(); 3].map(|()| tempfile::tempdir().unwrap()), Clock::off_by("0"));
    let mut wrong = clock.replica(&topic, folders[0].path(), &database.url()).await;
    let right = topic.role("command-service", folders[1].path(), &database.url()).await;
    let shared = async || {
        let owned = (total(&right, OWNED).await, total(&wrong, OWNED).await);
        (owned.0 + owned.1 == 3.0 && owned.0 > 0.0 && owned.1 > 0.0).then_some(())
    };
    until("the shards shared", shared).await;
    let long = leased(&right, "long", 1_200_000).await;
    let short = leased(&right, "short", 8_000).await;

    clock.set(seconds);
    right.running.signal(rustix::process::Signal::KILL);
    right.running.end().await;
    distrusts_its_clock(&mut wrong).await;
    until("that it owns nothing", async || (total(&wrong, OWNED).await == 0.0).then_some(())).await;
    let next = topic.role("command-service", folders[2].path(), &database.url()).await;
    until("all shards at the next", async || (total(&next, OWNED).await == 3.0).then_some(())).await;
    for lease in &long {
        let task = lease["id"].as_str().unwrap();
        let (status, kept) = next
            .command(&format!("tasks/{task}/renew"), json!({ "fencingToken": lease["fencingToken"] }))
            .await;
        assert_eq!(status, 200, "{kept}");
    }
    let expired = async || {
        let events = events(&next).await;
        let ends = events.iter().filter(|event| event["type"] == "gesta.work.task.lease_expired.v1");
        (ends.count() >= QUEUES).then_some(events)
    };
    let events = until("the ends of the short leases", expired).await;
    check_ends(&events, &short, &long);
    let mut times = BTreeMap::new();
    for event in &events {
        let shard = event["position"].as_str().unwrap().split('.').nth(1).unwrap();
        let last = times.insert(shard.to_owned(), instant(&event["time"]));
        assert!(last.is_none_or(|last| last <= instant(&event["time"])), "time goes back: {event}");
    }
    assert_eq!(times.len(), 3, "events of every shard");
    for role in [wrong, next] {
        assert_eq!(role.stop().await, Some(0));
    }
}
