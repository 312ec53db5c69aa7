//! Several processes that take commands on one log: whoever is asked answers, whoever dies is replaced.

#![expect(clippy::print_stdout, reason = "figures beside the goals, shown with --nocapture")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::database::Database;
use crate::gesta::{Gesta, until};
use crate::kafka::Topic;

/// How long a client waits for an answer before it asks another replica with the same key.
const PATIENCE: Duration = Duration::from_secs(3);

/// Replicas, a process of projections and one of queries.
struct Fleet {
    replicas: Vec<Gesta>,
    projectors: Gesta,
    queries: Gesta,
    data: Vec<TempDir>,
    topic: Topic,
    database: Database,
}

impl Fleet {
    /// Started, and every shard has its owner, as many as can be at each replica.
    async fn start(replicas: usize) -> Self {
        let (topic, database) = (Topic::new(), Database::new().await);
        assert!(topic.log(&["init"]).await.status.success());
        let data: Vec<TempDir> = (0..replicas + 2).map(|_| tempfile::tempdir().unwrap()).collect();
        let projectors = topic.role("projectors", data[replicas].path(), &database.url()).await;
        let queries = topic.role("query-api", data[replicas + 1].path(), &database.url()).await;
        let mut fleet = Self { replicas: Vec::new(), projectors, queries, data, topic, database };
        for index in 0..replicas {
            let replica = fleet.replica(index).await;
            fleet.replicas.push(replica);
        }
        for replica in &fleet.replicas {
            replica.ready(true).await;
        }
        let shared =
            |owned: Vec<f64>| owned.iter().sum::<f64>() == 3.0 && owned.iter().all(|shards| *shards > 0.0);
        until("the shards shared", || async { shared(fleet.owned().await).then_some(()) }).await;
        fleet
    }

    async fn replica(&self, index: usize) -> Gesta {
        self.topic.role("command-service", self.data[index].path(), &self.database.url()).await
    }

    fn urls(&self) -> Vec<String> {
        self.replicas.iter().map(|replica| replica.url.clone()).collect()
    }

    /// Waits until the projections have every title that was acknowledged, and tells how often each is there.
    async fn titles(&self, acknowledged: &[String]) -> BTreeMap<String, u32> {
        until("every acknowledged task", || async {
            let mut found = BTreeMap::new();
            let mut after = String::new();
            loop {
                let page = format!("first: 100{after}");
                let query = format!(
                    "{{ tasks({page}) {{ nodes {{ title }} pageInfo {{ hasNextPage endCursor }} }} }}"
                );
                let mut tasks = self.queries.query(&query).await["tasks"].take();
                for task in tasks["nodes"].as_array()? {
                    *found.entry(task["title"].as_str()?.to_owned()).or_default() += 1;
                }
                if tasks["pageInfo"]["hasNextPage"] != true {
                    break;
                }
                after = format!(", after: {}", tasks["pageInfo"]["endCursor"].take());
            }
            acknowledged.iter().all(|title| found.contains_key(title)).then_some(found)
        })
        .await
    }

    /// Shards that each replica owns.
    async fn owned(&self) -> Vec<f64> {
        let mut owned = Vec::new();
        for replica in &self.replicas {
            owned.push(total(replica, "gesta_shard_owner").await);
        }
        owned
    }

    /// Commands that changed nothing, such as claims that found nothing.
    async fn unchanged(&self) -> f64 {
        let mut unchanged = 0.0;
        for replica in &self.replicas {
            unchanged += total(replica, "gesta_commands_unchanged_total").await;
        }
        unchanged
    }

    async fn end(self) {
        for role in self.replicas.into_iter().chain([self.projectors, self.queries]) {
            assert_eq!(role.stop().await, Some(0));
        }
    }
}

/// The sum of a metric over all shards.
pub(crate) async fn total(replica: &Gesta, metric: &str) -> f64 {
    let metrics = replica.ops("/metrics").await.1;
    let shards = metrics.lines().filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{'));
    shards.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// What a client saw.
#[derive(Debug, Default)]
struct Seen {
    /// Titles that were acknowledged.
    acknowledged: Vec<String>,
    /// Answers that were neither success nor a transport error nor 503 or 504.
    refused: Vec<String>,
    /// Longest time from a command's first try to its acknowledgement.
    longest: Duration,
    /// Tries that were not acknowledged.
    failed: u32,
}

/// Sends commands one after the other until told to stop, each with its own key, to one replica after the other; a
/// try that fails is made again with the same key at the next.
fn client(name: usize, urls: Vec<String>, stop: Arc<AtomicBool>, sent: Arc<AtomicU32>) -> JoinHandle<Seen> {
    tokio::spawn(async move {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let mut seen = Seen::default();
        let mut turn = name;
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let (key, begun) = (format!("client-{name}-{number}"), Instant::now());
            loop {
                let url = &urls[turn % urls.len()];
                turn += 1;
                // Every key is its own stream, so the routes spread over the shards.
                let body = json!({ "type": "note", "title": key, "queue": format!("q{}", number % 7) });
                let request = http.post(format!("{url}/api/v1/tasks")).header("idempotency-key", &key);
                let answer = request.header("prefer", "wait=10").json(&body).send().await;
                let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
                match status {
                    200 | 201 => {
                        seen.longest = seen.longest.max(begun.elapsed());
                        seen.acknowledged.push(key);
                        sent.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    0 | 503 | 504 => {
                        seen.failed += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    _ => {
                        let text = answer.unwrap().text().await.unwrap_or_default();
                        seen.refused.push(format!("{key}: {status} {text}"));
                        break;
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        seen
    })
}

/// Clients that run until they are ended.
struct Load {
    clients: Vec<JoinHandle<Seen>>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
}

impl Load {
    fn start(urls: &[String], clients: usize) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let begin = |name| client(name, urls.to_vec(), Arc::clone(&stop), Arc::clone(&sent));
        Self { clients: (0..clients).map(begin).collect(), stop, sent }
    }

    /// Waits for so many more acknowledgements.
    async fn progress(&self, more: u32) {
        let goal = self.sent.load(Ordering::Relaxed) + more;
        until("progress", || async { (self.sent.load(Ordering::Relaxed) >= goal).then_some(()) }).await;
    }

    async fn end(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let mut seen = Vec::new();
        for client in self.clients {
            seen.push(client.await.unwrap());
        }
        seen
    }
}

fn acknowledged(seen: &[Seen]) -> Vec<String> {
    seen.iter().flat_map(|seen| seen.acknowledged.iter().cloned()).collect()
}

/// Nothing was refused, and everything that was acknowledged is there, once.
async fn settle(fleet: &Fleet, seen: &[Seen]) {
    let refused: Vec<_> = seen.iter().flat_map(|seen| &seen.refused).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let titles = fleet.titles(&acknowledged(seen)).await;
    let doubled: Vec<_> = titles.iter().filter(|(_, times)| **times != 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

fn tell(what: &str, seen: &[Seen]) {
    let longest = seen.iter().map(|seen| seen.longest).max().unwrap_or_default();
    let failed: u32 = seen.iter().map(|seen| seen.failed).sum();
    println!("{what}: {} acknowledged, longest {longest:?}, {failed} tries failed", acknowledged(seen).len());
}

/// PLAT-30, TASK-10: any replica answers any command, as its owner would; a claim that waits at one replica wakes for a
/// task that another one takes.
#[tokio::test(flavor = "multi_thread")]
async fn every_replica_answers_every_command() {
    let fleet = Fleet::start(3).await;
    until("one of three shards at each", || async { (fleet.owned().await == [1.0; 3]).then_some(()) }).await;
    for queue in 0..6 {
        let mut answers = Vec::new();
        for replica in &fleet.replicas {
            let body = json!({ "type": "note", "title": "one", "queue": format!("q{queue}") });
            let request = reqwest::Client::new().post(format!("{}/api/v1/tasks", replica.url));
            let answer = request.header("idempotency-key", "same").json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 201);
            answers.push(answer.json::<Value>().await.unwrap());
        }
        assert_eq!(answers[0]["aggregateId"], answers[1]["aggregateId"]);
        assert_eq!(answers[1], answers[2], "one stored answer");
        let id = answers[0]["aggregateId"].as_str().unwrap();
        for replica in &fleet.replicas {
            let (status, refusal) =
                replica.command(&format!("tasks/{id}/start"), json!({ "fencingToken": 9 })).await;
            assert_eq!(status, 409, "{refusal}");
        }
    }
    for (index, replica) in fleet.replicas.iter().enumerate() {
        let queue = format!("poll-{index}");
        let claim = json!({ "worker": "w", "queues": [queue.as_str()], "max": 1, "wait": 30_000 });
        let waiting = replica.command("tasks/claim", claim);
        let task = json!({ "type": "note", "title": "polled", "queue": queue.as_str() });
        let before = fleet.unchanged().await;
        let created = async {
            // The claim found nothing, so it waits.
            until("the wait", || async { (fleet.unchanged().await > before).then_some(()) }).await;
            fleet.replicas[(index + 1) % 3].command("tasks", task).await
        };
        let begun = Instant::now();
        let ((status, claimed), (_, created)) = tokio::join!(waiting, created);
        assert_eq!(status, 200, "{claimed}");
        assert_eq!(claimed["tasks"].as_array().unwrap().len(), 1, "{claimed} for {created}");
        assert!(begun.elapsed() < Duration::from_secs(25), "the wake-up came, not the end of the wait");
    }
    fleet.end().await;
}

/// PLAT-6, PLAT-29: the owner is killed under load; others own its shards, nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_owner_is_replaced() {
    let mut fleet = Fleet::start(2).await;
    let load = Load::start(&fleet.urls(), 4);
    load.progress(50).await;
    let killed = fleet.replicas.remove(0);
    let at = Instant::now();
    killed.running.signal(Signal::KILL);
    until("all shards at the other", || async { (fleet.owned().await[0] == 3.0).then_some(()) }).await;
    println!("fail-over took {:?}", at.elapsed());
    load.progress(50).await;
    fleet.replicas.push(fleet.replica(0).await);
    until("the shards shared again", || async {
        fleet.owned().await.iter().all(|shards| *shards > 0.0).then_some(())
    })
    .await;
    load.progress(50).await;
    let seen = load.end().await;
    tell("kill -9", &seen);
    settle(&fleet, &seen).await;
    fleet.end().await;
}

/// PLAT-29: a replica ends in order under load; no command fails for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_ends_hands_its_shards_over() {
    let mut fleet = Fleet::start(2).await;
    let stays = vec![fleet.replicas[1].url.clone()];
    let load = Load::start(&stays, 4);
    load.progress(50).await;
    let leaves = fleet.replicas.remove(0);
    let at = Instant::now();
    assert_eq!(leaves.stop().await, Some(0));
    println!("the process ended after {:?}", at.elapsed());
    assert_eq!(fleet.owned().await, [3.0], "the other owns every shard by then");
    load.progress(50).await;
    let seen = load.end().await;
    tell("SIGTERM", &seen);
    assert!(
        seen.iter().all(|seen| seen.failed == 0),
        "{:?}",
        seen.iter().map(|seen| seen.failed).collect::<Vec<_>>()
    );
    settle(&fleet, &seen).await;
    fleet.end().await;
}

/// PLAT-6, PLAT-29: an owner sleeps until another one replaced it, and wakes up: what it writes then is void, and no client
/// hears a refusal of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_slept_changes_nothing() {
    let fleet = Fleet::start(2).await;
    let load = Load::start(&fleet.urls(), 4);
    load.progress(50).await;
    fleet.replicas[0].running.signal(Signal::STOP);
    let awake = &fleet.replicas[1];
    until("all shards at the other", || async {
        let metrics = awake.ops("/metrics").await.1;
        let owner = |shard| metrics.contains(&format!("gesta_shard_owner{{shard=\"{shard}\"}} 1"));
        (owner(0) && owner(1) && owner(2)).then_some(())
    })
    .await;
    load.progress(20).await;
    fleet.replicas[0].running.signal(Signal::CONT);
    load.progress(100).await;
    fleet.replicas[0].ready(true).await;
    let seen = load.end().await;
    tell("SIGSTOP", &seen);
    settle(&fleet, &seen).await;
    fleet.end().await;
}
