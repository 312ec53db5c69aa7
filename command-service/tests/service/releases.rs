//! Replicas of several releases on one log: they take over from each other as long as each reads what the others write,
//! and whoever cannot read stops there.

use std::path::Path;
use std::time::Duration;

use command_service::command::{Accepted, Answer, Submission};
use command_service::http::serve::{Limits, serve};
use command_service::service::{Service, ServiceOptions, ShardStatus, peer_router};
use command_service::shard::Status;
use command_service::store::Store;
use event_log::{Content, KafkaOptions, Log, Start};
use schemas::ids::{Route, Stream};
use schemas::problem::Code;
use schemas::task::CreateTask;
use schemas::upcast::Revisions;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::releases::{ASSIGNED, before, writing};
use crate::support::{PATIENCE, claim, complete, create, done, memory, start, submission, task, tenant};

const SECRET: &str = "of these replicas";

/// A replica that others can reach.
struct Replica {
    service: Service,
    address: String,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Replica {
    async fn start(log: &Log, revisions: Revisions, store: Option<&Path>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (secret, store) = (SECRET.to_owned(), store.map(Path::to_owned));
        let options = ServiceOptions { address: address.clone(), secret, exclusive: false, store, revisions };
        let (service, stop) = (Service::start(log, &options).unwrap(), CancellationToken::new());
        let router = peer_router(service.clone(), SECRET);
        let serving = tokio::spawn(serve(listener, router, Limits::default(), stop.clone()));
        Self { service, address, stop, serving }
    }

    fn shard(&self, shard: u16) -> ShardStatus {
        self.service.status().shards.swap_remove(usize::from(shard))
    }

    fn owned(&self) -> usize {
        self.service.status().shards.iter().filter(|shown| shown.status == Status::Owner).count()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let held = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let held = tokio::time::timeout(3 * PATIENCE, held).await;
        held.unwrap_or_else(|_| panic!("{what} did not come: {:?}", self.service.status()));
    }

    async fn end(self) {
        self.service.shutdown().await;
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

/// A queue of each shard.
fn queues(shards: u16) -> Vec<String> {
    let names = || (0..).map(|number| format!("q{number}"));
    (0..shards).map(|shard| names().find(|name| shard_of(name, shards) == shard).unwrap()).collect()
}

fn shard_of(queue: &str, shards: u16) -> u16 {
    Route::of(&tenant(), queue).shard(shards)
}

/// A task that is leased for longer than any test runs.
fn create_long(queue: &str, key: &str) -> Submission {
    let body =
        json!({ "queue": queue, "type": "inventory", "title": key, "policy": { "leaseMs": 3_600_000 } });
    submission(&task(queue, key), key, serde_json::from_value::<CreateTask>(body).unwrap())
}

/// What clients asked, and what they were told.
#[derive(Default)]
struct Told(Vec<(Submission, Accepted)>);

impl Told {
    async fn ask(&mut self, at: &Replica, submission: Submission) -> Accepted {
        let accepted = done(&at.service, submission.clone()).await;
        self.0.push((submission, accepted.clone()));
        accepted
    }

    /// A task of `queue` is made and leased; nothing more.
    async fn lease(&mut self, at: &Replica, queue: &str, key: &str) -> (Stream, u32) {
        self.ask(at, create_long(queue, &format!("c-{key}"))).await;
        let claimed = self.ask(at, claim(&[queue], &format!("k-{key}"), 1, Duration::ZERO)).await;
        let [lease] = claimed.leases.as_slice() else { panic!("{claimed:?}") };
        (lease.task.clone(), lease.fencing_token)
    }

    /// The worker goes on with its lease.
    async fn finish(&mut self, at: &Replica, (task, token): &(Stream, u32), key: &str) {
        self.ask(at, start(task, &format!("s-{key}"), *token)).await;
        self.ask(at, complete(task, &format!("f-{key}"), *token)).await;
        // A claim that is repeated names the leases that still run.
        for (_, told) in &mut self.0 {
            told.leases.retain(|lease| lease.task != *task);
        }
    }

    /// Everything is answered as it was, and nothing is done again.
    async fn again(&self, at: &Replica) {
        for (submission, told) in &self.0 {
            let known = done(&at.service, submission.clone()).await;
            let same = (known.version, &known.position, &known.events, &known.leases)
                == (told.version, &told.position, &told.events, &told.leases);
            assert!(known.replayed && same, "{known:?}, but {told:?} before");
        }
    }
}

/// The revisions in which the leases of a shard stand in the log, with their offsets, and who claimed it.
async fn written(log: &Log, shard: u16) -> (Vec<(u32, u64)>, Vec<String>) {
    let (mut leases, mut claimers) = (Vec::new(), Vec::new());
    let mut reader = log.reader(Start::Beginning(shard)).await.unwrap();
    loop {
        let records = reader.next(1_000).await.unwrap();
        if records.is_empty() {
            return (leases, claimers);
        }
        for record in records {
            match record.content {
                Content::Claim(claim) => claimers.push(claim.address),
                Content::Commit(commit) => {
                    let assigned = commit.events.iter().filter(|event| event.kind == ASSIGNED);
                    leases.extend(assigned.map(|event| (event.v, record.offset)));
                }
                Content::Genesis(_) | Content::Barrier => {}
            }
        }
    }
}

/// PLAT-28, PLAT-6: release N reads the next revision and writes the former one, N+1 writes the next; they take over
/// from each other and answer the same from a log with both.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_the_previous_release_taking_over() {
    let (log, mut told, mut leased) = (memory(), Told::default(), None);
    for (round, v) in [2, 1, 2, 1, 1, 2].into_iter().enumerate() {
        let replica = Replica::start(&log, writing(v), None).await;
        replica.service.ready().await;
        told.again(&replica).await;
        if let Some((lease, key)) =
            leased.replace((told.lease(&replica, "default", &round.to_string()).await, round.to_string()))
        {
            told.finish(&replica, &lease, &key).await;
        }
        replica.end().await;
    }
    let (leases, _) = written(&log, shard_of("default", log.genesis().shards)).await;
    assert_eq!(leases.iter().map(|(v, _)| *v).collect::<Vec<_>>(), [2, 1, 2, 1, 1, 2]);
}

/// PLAT-28: a release that cannot read a revision stops that shard at that record, says which, skips nothing, and goes
/// on from there once it is upgraded. The other shards go on.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_release_stops_at_what_it_cannot_read() {
    let (log, mut told, dir) = (memory(), Told::default(), tempfile::tempdir().unwrap());
    let shards = log.genesis().shards;
    let (readable, unreadable) = (&queues(shards)[0], &queues(shards)[1]);
    let newer = Replica::start(&log, writing(2), None).await;
    newer.service.ready().await;
    told.ask(&newer, create(readable, "r-1")).await;
    let lease = told.lease(&newer, unreadable, "u").await;
    told.ask(&newer, create(unreadable, "u-2")).await;
    newer.end().await;
    let (leases, claimers) = written(&log, 1).await;
    let [(2, offset)] = *leases else { panic!("{leases:?}") };

    let older = Replica::start(&log, before(), Some(dir.path())).await;
    let status = older.service.ready().await;
    let stopped: Vec<_> = status.stopped().collect();
    let [(1, place)] = stopped.as_slice() else { panic!("{status:?}") };
    for part in [ASSIGNED, "revision 2", "up to 1", &format!("shard 1, offset {offset}"), "upgrade"] {
        assert!(place.contains(part), "{part} is missing in {place}");
    }
    assert!(!status.is_ready() && !older.shard(1).may_own());
    done(&older.service, create(readable, "r-2")).await;
    let answer = older.service.submit(create(unreadable, "u-3"), PATIENCE).await;
    assert!(matches!(answer, Answer::Failed { code: Code::ShardStopped, .. }), "{answer:?}");
    older.end().await;
    assert_eq!(written(&log, 1).await.1, claimers, "it never claimed");

    let store = Store::open(dir.path(), log.genesis()).unwrap();
    assert_eq!(store.restore(1).unwrap().unwrap().cursor.next_offset, offset, "where it stood");
    drop(store);
    let upgraded = Replica::start(&log, writing(1), Some(dir.path())).await;
    let status = upgraded.service.ready().await;
    assert!(status.is_ready(), "{status:?}");
    told.again(&upgraded).await;
    told.finish(&upgraded, &lease, "u").await;
    upgraded.end().await;
}

/// PLAT-28, M-8: what became of a command that its owner took and did not answer is unknown, also to a replica that
/// cannot read the shard and finds the owner gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_shard_calls_no_open_outcome_failed() {
    let (log, mut told) = (memory(), Told::default());
    let newer = Replica::start(&log, writing(2), None).await;
    newer.service.ready().await;
    told.lease(&newer, "default", "one").await;
    newer.end().await;
    let older = Replica::start(&log, before(), None).await;
    older.service.ready().await;
    // The address of the owner that is gone, taken by one that hears a command and hangs up.
    let shard = shard_of("default", log.genesis().shards);
    let owner = TcpListener::bind(&*older.shard(shard).owner).await.unwrap();
    let hangs_up = tokio::spawn(async move {
        let (connection, _) = owner.accept().await.unwrap();
        connection.readable().await.unwrap();
    });
    let answer = older.service.submit(create("default", "two"), PATIENCE).await;
    assert!(matches!(answer, Answer::Unknown), "{answer:?}");
    hangs_up.await.unwrap();
    let answer = older.service.submit(create("default", "three"), PATIENCE).await;
    assert!(matches!(answer, Answer::Failed { code: Code::ShardStopped, .. }), "{answer:?}");
    older.end().await;
}

/// PLAT-28, PLAT-6: a rolling upgrade on Kafka whose setting is raised too early, and mended. The release that cannot
/// read leaves the ownership to those that can, and passes commands on to them. After its upgrade both releases take
/// over from each other in both directions, with the same answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_upgrade_on_kafka() {
    let brokers = std::env::var("GESTA_KAFKA_BROKERS")
        .expect("GESTA_KAFKA_BROKERS names no brokers; `make test` starts some");
    let topic = format!("gesta.releases.{}", uuid::Uuid::new_v4().simple());
    let options = KafkaOptions { topic, ..KafkaOptions::new(&brokers, "test", 3) };
    Log::kafka_init(options.clone()).await.unwrap();
    let open = async || Log::kafka(options.clone()).await.unwrap();
    let (queues, dir) = (queues(3), tempfile::tempdir().unwrap());
    let mut told = Told::default();

    let older = Replica::start(&open().await, before(), Some(dir.path())).await;
    older.service.ready().await;
    let first = told.lease(&older, &queues[0], "first").await;
    let newer = Replica::start(&open().await, writing(2), None).await;
    newer.until("its share", |newer| newer.owned() > 0).await;
    let shares = |shard: &ShardStatus| shard.status == Status::Owner;
    let raised = newer.service.status().shards.into_iter().find(shares).unwrap().shard;
    let second = told.lease(&newer, &queues[usize::from(raised)], "second").await;

    older.until("the stop", |older| matches!(older.shard(raised).status, Status::Stopped(_))).await;
    newer.until("every shard", |newer| newer.owned() == 3).await;
    assert_eq!(older.owned(), 0, "{:?}", older.service.status());
    for shard in 0..3 {
        let stopped = matches!(older.shard(shard).status, Status::Stopped(_));
        assert_eq!((stopped, older.shard(shard).may_own()), (shard == raised, shard != raised));
    }
    for (number, queue) in queues.iter().enumerate() {
        told.ask(&older, create(queue, &format!("passed on {number}"))).await;
    }
    told.again(&older).await;
    let upgraded = older.address.clone();
    older.end().await;
    let (_, claimers) = written(&open().await, raised).await;
    assert_ne!(claimers.last(), Some(&upgraded), "it did not claim what it cannot read");

    let previous = Replica::start(&open().await, writing(1), Some(dir.path())).await;
    previous.until("its share", |previous| previous.owned() > 0).await;
    newer.end().await;
    previous.until("every shard", |previous| previous.owned() == 3).await;
    told.again(&previous).await;
    told.finish(&previous, &second, "second").await;
    let third = told.lease(&previous, &queues[usize::from(raised)], "third").await;
    let next = Replica::start(&open().await, writing(2), None).await;
    next.until("its share", |next| next.owned() > 0).await;
    previous.end().await;
    next.until("every shard", |next| next.owned() == 3).await;
    told.again(&next).await;
    told.finish(&next, &first, "first").await;
    told.finish(&next, &third, "third").await;
    told.lease(&next, &queues[usize::from(raised)], "fourth").await;
    next.end().await;
    let (leases, _) = written(&open().await, raised).await;
    let revisions: Vec<u32> = leases.into_iter().map(|(v, _)| v).collect();
    assert!(revisions.ends_with(&[2, 1, 2]), "{revisions:?}");
}
