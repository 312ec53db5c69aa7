//! What cannot be read is parked with what follows it in its stream, and applied in that order later.

use projectors::{Options, State};
use serde_json::json;
use sqlx::PgPool;

use crate::equality::long;
use crate::fixture::{Fixture, Running, until};
use crate::history::Step;
use crate::table::{assert_equal, dump};

/// What stands in a type that this release knows, so that it does not know it.
const UNKNOWN: &str = "gesta.fleet.agent.teleported.v1";

/// The steps with the event in the middle of some agent's stream made unreadable; its stream and its type.
pub(crate) fn poisoned(steps: &[Step], nth: usize) -> (Vec<Step>, Step, &'static str) {
    let of_agent = |step: &&Step| step.stream.aggregate_type() == "agent";
    let mut streams: Vec<_> = steps.iter().filter(of_agent).map(|step| step.stream.clone()).collect();
    streams.sort();
    streams.dedup();
    let long = |stream: &&_| steps.iter().filter(|step| step.stream == **stream).count() >= 4;
    let stream = streams.iter().filter(long).nth(nth).expect("an agent with a longer life").clone();
    let mut steps = steps.to_vec();
    let step = steps.iter_mut().filter(|step| step.stream == stream).nth(1).unwrap();
    let (version, kind, v, data) = step.events[0].clone();
    step.events[0] = (version, UNKNOWN, v, data);
    let step = step.clone();
    (steps, step, kind)
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
pub(crate) struct Letter {
    pub(crate) projection: String,
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) attempts: i32,
}

pub(crate) async fn letters(pool: &PgPool) -> Vec<Letter> {
    let sql = "SELECT projection, stream, version, kind, state, attempts FROM gesta.dead_letters \
         ORDER BY projection, log_offset, event_index";
    sqlx::query_as(sql).fetch_all(pool).await.unwrap()
}

async fn execute(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

/// Somebody wants everything tried again.
pub(crate) async fn redrive(pool: &PgPool) {
    execute(pool, "UPDATE gesta.dead_letters SET redrive = true WHERE state = 'parked'").await;
}

/// A newer release reads the type: its decoder gives what the letter now says.
async fn newer_release(pool: &PgPool, kind: &str) {
    let sql = "UPDATE gesta.dead_letters SET event = replace(event, $1, $2)";
    sqlx::query(sql).bind(UNKNOWN).bind(kind).execute(pool).await.unwrap();
}

/// The rows of a log in which everything could be read.
pub(crate) async fn readable(steps: &[Step]) -> Vec<(&'static str, Vec<String>)> {
    let mut fixture = Fixture::new(1).await;
    fixture.append(steps).await;
    fixture.catch_up().await;
    dump(&fixture.pool, "g1").await
}

pub(crate) async fn applied(fixture: &Fixture) -> Running {
    let running = fixture.start(Options::default());
    fixture.applied(1).await;
    running
}

/// PLAT-13, invariant 8: the projections that read the event park it and everything behind it in its
/// stream, and go on; no later event of it passes. Redriven in vain it stays; a release that reads it
/// comes to the rows of a log without poison, in all columns.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_keeps_its_stream_in_order_until_it_is_redriven() {
    let steps = long(40, 900);
    let (poison, step, kind) = poisoned(&steps, 0);
    let mut fixture = Fixture::new(1).await;
    fixture.append(&poison).await;
    let running = applied(&fixture).await;
    let parked = letters(&fixture.pool).await;
    let first = step.events[0].0;
    let behind = steps.iter().filter(|other| other.stream == step.stream);
    let versions: Vec<_> =
        behind.flat_map(|step| step.events.iter().map(|event| event.0)).filter(|v| *v >= first).collect();
    assert!(versions.len() > 1, "something follows");
    for projection in ["agent_list", "event_journal", "state_transitions"] {
        let own: Vec<_> = parked.iter().filter(|letter| letter.projection == projection).collect();
        assert!(own.iter().all(|l| l.stream == step.stream.as_str() && l.state == "parked"), "{own:?}");
        let numbers: Vec<_> = own.iter().map(|letter| u64::try_from(letter.version).unwrap()).collect();
        assert_eq!(numbers, versions, "{projection}");
        let kinds: Vec<_> = own.iter().map(|letter| (letter.kind.as_str(), letter.attempts)).collect();
        assert!(kinds[0] == ("poison", 1) && kinds[1..].iter().all(|k| *k == ("follower", 0)), "{kinds:?}");
    }
    assert_eq!(parked.len(), 3 * versions.len());
    until("all say that they run", async || {
        running.status.all().iter().all(|progress| progress.state == State::Running)
    })
    .await;
    redrive(&fixture.pool).await;
    until("it is tried and refused", async || {
        letters(&fixture.pool).await.iter().filter(|l| l.kind == "poison" && l.attempts == 2).count() == 3
    })
    .await;
    assert!(letters(&fixture.pool).await.iter().all(|letter| letter.state == "parked"));
    newer_release(&fixture.pool, kind).await;
    redrive(&fixture.pool).await;
    until("it is applied", async || letters(&fixture.pool).await.iter().all(|l| l.state == "applied")).await;
    running.stop().await;
    assert_equal(&dump(&fixture.pool, "g1").await, &readable(&steps).await);
}

/// As if the letters of `projection`, or of all, had been tried that long ago.
async fn tried_ago(pool: &PgPool, projection: &str, ago: &str) {
    let sql = "UPDATE gesta.dead_letters SET tried_at = now() - $2::interval \
         WHERE kind = 'poison' AND projection LIKE $1";
    sqlx::query(sql).bind(projection).bind(ago).execute(pool).await.unwrap();
}

/// PLAT-13: a letter is tried again by itself, after 1, 5, 30 and 120 minutes; then only if somebody wants it.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_tried_again_by_itself() {
    let (poison, _, kind) = poisoned(&long(45, 300), 0);
    let mut fixture = Fixture::new(1).await;
    fixture.append(&poison).await;
    let running = applied(&fixture).await;
    let attempts = async |projection: &str| {
        let all = letters(&fixture.pool).await;
        let own = all.iter().find(|l| l.projection == projection && l.kind == "poison");
        own.map(|letter| letter.attempts)
    };
    for (so_far, minutes) in [(1, 1), (2, 5), (3, 30), (4, 120)] {
        tried_ago(&fixture.pool, "agent_list", &format!("{} seconds", minutes * 60 - 50)).await;
        tried_ago(&fixture.pool, "event_journal", &format!("{minutes} minutes")).await;
        until("its time has come", async || attempts("event_journal").await == Some(so_far + 1)).await;
        assert_eq!(attempts("agent_list").await, Some(so_far), "its time has not come");
        tried_ago(&fixture.pool, "agent_list", &format!("{minutes} minutes")).await;
        until("its time has come too", async || attempts("agent_list").await == Some(so_far + 1)).await;
    }
    newer_release(&fixture.pool, kind).await;
    tried_ago(&fixture.pool, "%", "1 year").await;
    execute(&fixture.pool, "UPDATE gesta.dead_letters SET redrive = true WHERE projection = 'event_journal'")
        .await;
    until("what somebody wants is applied", async || {
        letters(&fixture.pool).await.iter().all(|l| l.projection != "event_journal" || l.state == "applied")
    })
    .await;
    assert_eq!(attempts("agent_list").await, Some(5), "looked at before event_journal, and left");
    running.stop().await;
}

/// What is parked is known to the runner that comes after: later events of the stream wait as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_order() {
    let steps = long(41, 900);
    let (poison, step, kind) = poisoned(&steps, 0);
    let last = poison.iter().rposition(|other| other.stream == step.stream).unwrap();
    let mut fixture = Fixture::new(1).await;
    fixture.append(&poison[..last]).await;
    applied(&fixture).await.stop().await;
    let before = letters(&fixture.pool).await.len();
    fixture.append(&poison[last..]).await;
    let running = applied(&fixture).await;
    let parked = letters(&fixture.pool).await;
    assert_eq!(parked.len(), before + 3 * poison[last].events.len());
    assert_eq!(parked.iter().filter(|letter| letter.kind == "poison").count(), 3);
    newer_release(&fixture.pool, kind).await;
    redrive(&fixture.pool).await;
    until("it is applied", async || letters(&fixture.pool).await.iter().all(|l| l.state == "applied")).await;
    running.stop().await;
    assert_equal(&dump(&fixture.pool, "g1").await, &readable(&steps).await);
}

/// PLAT-13: letter and cursor are one transaction: cut between them, neither is there.
#[tokio::test(flavor = "multi_thread")]
async fn letter_and_cursor_are_one_transaction() {
    let (poison, ..) = poisoned(&long(42, 300), 0);
    let mut fixture = Fixture::new(1).await;
    fixture.append(&poison).await;
    let mut owner = crate::database::connect(&fixture.url).await;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'cut' USING ERRCODE = '57P01'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON gesta.dead_letters EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(refuse).execute(&mut owner).await.unwrap();
    let running = fixture.start(Options { batch_commits: 10, ..Options::default() });
    until("it waits", async || {
        let waits = |p: &projectors::Progress| matches!(&p.state, State::Paused(why) if why.contains("cut"));
        running.status.all().iter().any(waits)
    })
    .await;
    assert_eq!(letters(&fixture.pool).await, []);
    let end = i64::try_from(fixture.log.end(0)).unwrap();
    let sql = "SELECT max(next_offset) FROM gesta.projections";
    let at: i64 = sqlx::query_scalar(sql).fetch_one(&fixture.pool).await.unwrap();
    assert!(at < end, "the cursor stands before what could not be parked");
    sqlx::raw_sql("DROP TRIGGER refuse ON gesta.dead_letters").execute(&mut owner).await.unwrap();
    fixture.applied(1).await;
    assert!(!letters(&fixture.pool).await.is_empty());
    running.stop().await;
}

/// PLAT-13: at its limit a projection stops and says so; nothing is dropped, and the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_projection_stops_and_says_so() {
    let steps = long(43, 900);
    let (poison, ..) = poisoned(&steps, 0);
    let (poison, second, _) = poisoned(&poison, 1);
    let mut fixture = Fixture::new(1).await;
    fixture.append(&poison).await;
    let running = fixture.start(Options { parked_streams: 1, batch_commits: 10, ..Options::default() });
    let names = ["agent_list", "event_journal", "state_transitions"];
    until("they stop", async || {
        let all = running.status.all();
        names.iter().all(|name| all.iter().any(|p| p.name == *name && matches!(p.state, State::Stopped(_))))
    })
    .await;
    until("the others go on", async || {
        running.status.next_offset("task_list", 0) == Some(fixture.log.end(0))
    })
    .await;
    let problem = running.status.ready().unwrap_err();
    assert!(
        problem.contains("too many dead letters") && problem.contains(second.stream.as_str()),
        "{problem}"
    );
    let parked = letters(&fixture.pool).await;
    assert!(parked.iter().all(|letter| letter.stream != second.stream.as_str()), "{parked:?}");
    running.stop().await;
}

/// A run to the end of the log, as a rebuild is, parks nothing: it ends before the event and names it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_stops_before_poison() {
    let (poison, step, _) = poisoned(&long(44, 300), 0);
    let mut fixture = Fixture::new(1).await;
    fixture.append(&poison).await;
    let error = fixture.run_to_end().await.unwrap_err().to_string();
    assert!(error.contains(UNKNOWN), "{error}");
    assert_eq!(letters(&fixture.pool).await, []);
    let versions = json!(step.events.iter().map(|event| event.0).collect::<Vec<_>>());
    assert!(versions.as_array().is_some_and(|versions| !versions.is_empty()));
}
