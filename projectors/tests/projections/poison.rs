//! An event that can be read but not applied: found by halving its batch, parked alone, applied later.

use event_log::memory::Fault;
use projectors::{Options, State};
use rstest::rstest;
use schemas::ids::Stream;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::database::connect;
use crate::dead_letters::{Letter, applied, letters, readable, redrive};
use crate::equality::long;
use crate::fixture::{Fixture, until};
use crate::history::Step;
use crate::table::{assert_equal, dump};

/// The streams of a type with many events, in the order in which they become long.
pub(crate) fn streams(steps: &[Step], aggregate_type: &str) -> Vec<Stream> {
    let mut found: Vec<Stream> = Vec::new();
    for step in steps {
        let count = steps.iter().filter(|other| other.stream == step.stream).count();
        if step.stream.aggregate_type() == aggregate_type && count > 6 && !found.contains(&step.stream) {
            found.push(step.stream.clone());
        }
    }
    found
}

fn versions(steps: &[Step], stream: &Stream, from: u64) -> Vec<i64> {
    let own = steps.iter().filter(|step| step.stream == *stream);
    let versions = own.flat_map(|step| step.events.iter().map(|event| event.0)).filter(|v| *v >= from);
    versions.map(|version| i64::try_from(version).unwrap()).collect()
}

async fn sql(fixture: &Fixture, sql: String) {
    let mut owner = connect(&fixture.url).await;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut owner).await.unwrap();
}

/// Postgres refuses the rows of tasks that a condition fits.
pub(crate) async fn refuse(fixture: &Fixture, condition: &str) {
    sql(fixture, format!("ALTER TABLE g1.task_list ADD CONSTRAINT refused CHECK (NOT ({condition}))")).await;
}

pub(crate) async fn mend(fixture: &Fixture) {
    sql(fixture, "ALTER TABLE g1.task_list DROP CONSTRAINT refused".into()).await;
}

pub(crate) fn from_version(stream: &Stream, version: u64) -> String {
    format!("id = '{}' AND version >= {version}", stream.id())
}

/// All but the last step stand in the log twice; what counts no more is followed by something that does.
async fn append_twice(fixture: &mut Fixture, steps: &[Step]) {
    let (last, before) = steps.split_last().unwrap();
    fixture.faults.next_append(Fault::Duplicate);
    fixture.append(before).await;
    fixture.append(std::slice::from_ref(last)).await;
}

/// The letters of one stream of one projection: the first was tried so often, the others wait.
fn assert_parked(parked: &[Letter], projection: &str, stream: &Stream, versions: &[i64], attempts: i32) {
    let own: Vec<_> = parked.iter().filter(|letter| letter.stream == stream.as_str()).collect();
    assert!(own.iter().all(|l| l.projection == projection && l.state == "parked"), "{own:?}");
    assert_eq!(own.iter().map(|letter| letter.version).collect::<Vec<_>>(), versions);
    let kinds: Vec<_> = own.iter().map(|letter| (letter.kind.as_str(), letter.attempts)).collect();
    assert_eq!(kinds[0], ("poison", attempts));
    assert!(kinds.len() > 1 && kinds[1..].iter().all(|kind| *kind == ("follower", 0)), "{kinds:?}");
}

async fn redriven(fixture: &Fixture) {
    redrive(&fixture.pool).await;
    until("it is applied", async || letters(&fixture.pool).await.iter().all(|l| l.state == "applied")).await;
}

/// PLAT-13: of a batch in which Postgres refuses one row, one event of one projection is parked, tried
/// once, with what follows it; the rest of the batch is applied, by the others all of it, also when it is
/// delivered twice. Redriven after the mend, all rows are those of a log without the fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_is_found_in_its_batch() {
    let steps = long(40, 900);
    let stream = streams(&steps, "task").remove(3);
    let mut fixture = Fixture::new(1).await;
    refuse(&fixture, &from_version(&stream, 3)).await;
    append_twice(&mut fixture, &steps).await;
    let running = applied(&fixture).await;
    let parked = letters(&fixture.pool).await;
    let waiting = versions(&steps, &stream, 3);
    assert_parked(&parked, "task_list", &stream, &waiting, 1);
    assert_eq!(parked.len(), waiting.len(), "nothing else is parked");
    until("they are ready", async || running.status.ready().is_ok()).await;
    let stage: (String, String) =
        sqlx::query_as("SELECT stage, error FROM gesta.dead_letters WHERE kind = 'poison'")
            .fetch_one(&fixture.pool)
            .await
            .unwrap();
    assert!(stage.0 == "write" && stage.1.contains("refused"), "{stage:?}");
    redrive(&fixture.pool).await;
    until("it is tried in vain", async || letters(&fixture.pool).await.iter().any(|l| l.attempts == 2)).await;
    mend(&fixture).await;
    redriven(&fixture).await;
    running.stop().await;
    let mut faultless = Fixture::new(1).await;
    append_twice(&mut faultless, &steps).await;
    faultless.catch_up().await;
    assert_equal(&dump(&fixture.pool, "g1").await, &dump(&faultless.pool, "g1").await);
}

/// PLAT-13: an event whose predecessor is missing in the rows is tried three times, then parked; once the
/// rows are restored it is applied.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_behind_a_gap_is_parked() {
    let steps = long(40, 900);
    let stream = streams(&steps, "task").remove(3);
    let half = steps.iter().enumerate().filter(|(_, step)| step.stream == stream).nth(2).unwrap().0 + 1;
    let mut fixture = Fixture::new(1).await;
    fixture.append(&steps[..half]).await;
    applied(&fixture).await.stop().await;
    let change =
        |by: &str| format!("UPDATE g1.task_list SET version = version {by} WHERE id = '{}'", stream.id());
    sql(&fixture, change("- 1")).await;
    fixture.append(&steps[half..]).await;
    let running = applied(&fixture).await;
    let parked = letters(&fixture.pool).await;
    let waiting = versions(&steps[half..], &stream, 0);
    assert_parked(&parked, "task_list", &stream, &waiting, 3);
    assert_eq!(parked.len(), waiting.len(), "nothing else is parked");
    sql(&fixture, change("+ 1")).await;
    redriven(&fixture).await;
    running.stop().await;
    assert_equal(&dump(&fixture.pool, "g1").await, &readable(&steps).await);
}

/// An event of a history that a fold or Postgres cannot take, and what it would have to be.
struct Crafted {
    steps: Vec<Step>,
    mended: Vec<Step>,
    stream: Stream,
    version: u64,
    tables: &'static [&'static str],
    attempts: i32,
}

fn change(steps: &[Step], stream: &Stream, kind: &str, with: impl Fn(&mut Step)) -> (Vec<Step>, u64) {
    let mut steps = steps.to_vec();
    let fits = |step: &&mut Step| step.stream == *stream && step.events[0].1 == kind;
    let step = steps.iter_mut().find(fits).unwrap();
    with(step);
    let version = step.events[0].0;
    (steps, version)
}

/// A moment so late that the estimate of when the task ends is beyond what a moment can be.
fn panics() -> Crafted {
    let steps = long(40, 900);
    let kind = "gesta.work.task.progressed.v1";
    let progressed = |step: &&Step| step.events[0].1 == kind;
    let stream = steps.iter().filter(progressed).nth(2).unwrap().stream.clone();
    let late = |step: &mut Step| step.at = "9999-01-01T00:00:00Z".parse().unwrap();
    let (late, version) = change(&steps, &stream, kind, |step| {
        late(step);
        step.events[0].3["progress"] = json!(1);
    });
    let (mended, _) = change(&late, &stream, kind, |step| {
        step.events[0].3["estimated_completion"] = json!("9999-01-01T00:00:00Z");
    });
    Crafted { steps: late, mended, stream, version, tables: &["task_list", "queue_depth"], attempts: 3 }
}

/// A text that fits no index of Postgres.
fn refused() -> Crafted {
    let steps = long(40, 900);
    let kind = "gesta.fleet.agent.spawn_requested.v1";
    let stream = streams(&steps, "agent").remove(2);
    let long: String = (0..400_u64).map(|n| stream.event_id(n).to_string()).collect();
    let (steps, version) = change(&steps, &stream, kind, |step| step.events[0].3["model"] = json!(long));
    let (mended, _) = change(&steps, &stream, kind, |step| step.events[0].3["model"] = json!("none"));
    Crafted { steps, mended, stream, version, tables: &["agent_list"], attempts: 1 }
}

/// PLAT-13: a fold that panics is tried three times, a value that Postgres can never hold once; then the
/// event is parked, and only for the projection that cannot take it. Its letter mended, the rows are those of a log that
/// had the mended event.
#[rstest]
#[case::a_fold_that_panics(panics())]
#[case::a_value_that_postgres_cannot_hold(refused())]
#[tokio::test(flavor = "multi_thread")]
async fn a_crafted_event_is_parked(#[case] crafted: Crafted) {
    let Crafted { steps, mended, stream, version, tables, attempts } = crafted;
    let mut fixture = Fixture::new(1).await;
    fixture.append(&steps).await;
    let running = applied(&fixture).await;
    let parked = letters(&fixture.pool).await;
    let waiting = versions(&steps, &stream, version);
    assert_parked(&parked, tables[0], &stream, &waiting, attempts);
    assert_eq!(parked.len(), waiting.len(), "nothing else is parked");
    let mut whole = mended.iter().filter(|step| step.stream == stream);
    let data = whole.find_map(|step| step.events.iter().find(|event| event.0 == version)).unwrap().3.clone();
    let newer = "UPDATE gesta.dead_letters SET event = jsonb_set(event::jsonb, '{events,0,data}', $1)::text \
         WHERE kind = 'poison'";
    sqlx::query(newer).bind(data).execute(&fixture.pool).await.unwrap();
    redriven(&fixture).await;
    running.stop().await;
    let of = async |tables_of: Vec<(&'static str, Vec<String>)>| -> Vec<_> {
        tables_of.into_iter().filter(|(name, _)| tables.contains(name)).collect()
    };
    assert_equal(&of(dump(&fixture.pool, "g1").await).await, &of(readable(&mended).await).await);
}

/// PLAT-13: torn down at any point of the search, the projections park the same letters once.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_searching_parks_once() {
    let steps = long(40, 900);
    let stream = streams(&steps, "task").remove(3);
    let mut fixture = Fixture::new(1).await;
    refuse(&fixture, &from_version(&stream, 3)).await;
    fixture.append(&steps).await;
    for crash in 0..20_u64 {
        let running = fixture.start(Options { batch_commits: 200, ..Options::default() });
        let mut applied = running.status.watch();
        let some = async {
            for _ in 0..crash % 7 {
                applied.changed().await.unwrap();
            }
        };
        tokio::select! {
            () = some => {}
            () = fixture.applied(1) => {}
        }
        drop(running);
    }
    let running = applied(&fixture).await;
    let waiting = versions(&steps, &stream, 3);
    assert_parked(&letters(&fixture.pool).await, "task_list", &stream, &waiting, 1);
    mend(&fixture).await;
    redriven(&fixture).await;
    running.stop().await;
    assert_equal(&dump(&fixture.pool, "g1").await, &readable(&steps).await);
}

/// PLAT-13, invariant 8: a projection of which every event fails has an outage: after four letters it
/// parks nothing more, says so, and goes on by itself; the others never stopped.
#[tokio::test(flavor = "multi_thread")]
async fn many_failing_streams_are_an_outage() {
    let steps = long(40, 900);
    let mut fixture = Fixture::new(1).await;
    refuse(&fixture, "true").await;
    fixture.append(&steps).await;
    let running = fixture.start(Options::default());
    let paused = |p: &projectors::Progress| matches!(&p.state, State::Paused(why) if why.contains("outage"));
    until("it says so", async || running.status.all().iter().any(|p| p.name == "task_list" && paused(p)))
        .await;
    until("the others go on", async || {
        running.status.next_offset("agent_list", 0) == Some(fixture.log.end(0))
    })
    .await;
    let problem = running.status.ready().unwrap_err();
    assert!(problem.contains("task_list") && problem.contains("5 streams"), "{problem}");
    let mut poison = letters(&fixture.pool).await;
    poison.retain(|letter| letter.kind == "poison");
    assert_eq!(poison.len(), 4, "{poison:?}");
    mend(&fixture).await;
    fixture.applied(1).await;
    redriven(&fixture).await;
    until("they are ready", async || running.status.ready().is_ok()).await;
    running.stop().await;
    assert_equal(&dump(&fixture.pool, "g1").await, &readable(&steps).await);
}

/// PLAT-13: many poisonous events among good ones are no outage: each is parked.
#[tokio::test(flavor = "multi_thread")]
async fn many_poisonous_events_are_parked() {
    let steps = long(60, 1_500);
    let some: Vec<_> = streams(&steps, "task").into_iter().step_by(2).take(8).collect();
    assert_eq!(some.len(), 8);
    let mut fixture = Fixture::new(1).await;
    refuse(&fixture, &some.iter().map(|stream| from_version(stream, 1)).collect::<Vec<_>>().join(" OR "))
        .await;
    fixture.append(&steps).await;
    let running = applied(&fixture).await;
    let parked = letters(&fixture.pool).await;
    for stream in &some {
        assert_parked(&parked, "task_list", stream, &versions(&steps, stream, 1), 1);
    }
    mend(&fixture).await;
    redriven(&fixture).await;
    running.stop().await;
    assert_equal(&dump(&fixture.pool, "g1").await, &readable(&steps).await);
}

/// A run to the end of the log parks nothing: it applies what lies before the event, and names offset,
/// event and projection.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_stops_at_what_it_cannot_apply() {
    let steps = long(40, 900);
    let stream = streams(&steps, "task").remove(3);
    let mut fixture = Fixture::new(1).await;
    refuse(&fixture, &from_version(&stream, 3)).await;
    fixture.append(&steps).await;
    let error = fixture.run_to_end().await.unwrap_err().to_string();
    let at: i64 = sqlx::query_scalar("SELECT min(next_offset) FROM gesta.projections")
        .fetch_one(&fixture.pool)
        .await
        .unwrap();
    assert!(at > 1, "what lies before it is applied");
    assert!(error.contains(&format!("offset {at}, event ")), "{error}, cursor {at}");
    assert!(error.contains("projection task_list") && error.contains("refused"), "{error}");
    assert!(letters(&fixture.pool).await.is_empty());
}
