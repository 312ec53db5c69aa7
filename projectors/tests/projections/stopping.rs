//! What cannot be decoded stops what reads it, and nothing else.

use projectors::{Options, State};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::equality::long;
use crate::fixture::{DEADLINE, Fixture};
use crate::history::Step;
use crate::table::{assert_equal, dump};

/// A step of an agent that this release cannot read.
fn unreadable(steps: &[Step]) -> Step {
    let of = steps.iter().rev().find(|step| step.stream.aggregate_type() == "agent").unwrap();
    let (last, ..) = *of.events.last().unwrap();
    Step { events: vec![(last + 1, "gesta.fleet.agent.teleported.v1", 1, json!({}))], ..of.clone() }
}

/// An event of an unknown type stops the projections that read agents, before it; those of tasks go on.
#[tokio::test(flavor = "multi_thread")]
async fn an_undecodable_event_stops_what_reads_it() {
    let mut fixture = Fixture::new(1).await;
    let mut steps = long(40, 900);
    let after = steps.split_off(steps.len() / 2);
    let after: Vec<_> = after.into_iter().filter(|step| step.stream.aggregate_type() == "task").collect();
    let poison = unreadable(&steps);
    fixture.append(&steps).await;
    let at = fixture.log.end(0);
    fixture.append(&[poison]).await;
    fixture.append(&after).await;
    let running = fixture.start(Options::default());
    let mut applied = running.status.watch();
    let settled = async {
        while running.status.next_offset("task_list", 0) != Some(fixture.log.end(0)) {
            applied.changed().await.unwrap();
        }
    };
    tokio::time::timeout(DEADLINE, settled).await.expect("the projections of tasks go on");
    let all = running.status.all();
    let stopped: Vec<_> =
        all.iter().filter(|p| matches!(p.state, State::Stopped(_))).map(|p| p.name).collect();
    assert_eq!(stopped, ["agent_list", "event_journal", "state_transitions"]);
    assert!(
        all.iter().filter(|p| stopped.contains(&p.name)).all(|p| p.next_offset == at && p.lag_records() > 0),
        "{all:?}"
    );
    let problem = running.status.ready().unwrap_err();
    assert!(problem.contains("teleported") && problem.contains(&format!("offset {at}")), "{problem}");
    let sql =
        "SELECT name, state, error, next_offset FROM gesta.projections WHERE state = 'stopped' ORDER BY name";
    let rows: Vec<(String, String, Option<String>, i64)> =
        sqlx::query_as(sql).fetch_all(&fixture.pool).await.unwrap();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows.iter().all(|(_, _, error, offset)| {
        error.as_ref().unwrap().contains("teleported") && u64::try_from(*offset).unwrap() == at
    }));
    running.stop().await;
    assert_tasks_are_whole(&fixture).await;
}

/// The rows of tasks are those of a run that never reads agents.
async fn assert_tasks_are_whole(fixture: &Fixture) {
    migrations::generation::create(&fixture.url, 2).await.unwrap();
    let projections = vec!["task_list".to_owned(), "task_attempts".to_owned()];
    let options = Options { generation: Some(2), projections, until_end: true, ..Options::default() };
    let cancel = CancellationToken::new();
    projectors::run(fixture.log.clone(), fixture.pool.clone(), options, cancel).await.unwrap();
    let tasks = async |schema: &str| {
        let mut tables = dump(&fixture.pool, schema).await;
        tables.retain(|(name, _)| ["task_list", "queue_depth", "task_attempts"].contains(name));
        tables
    };
    let rows = tasks("g2").await;
    assert!(rows.len() == 3 && rows.iter().all(|(_, rows)| !rows.is_empty()));
    assert_equal(&tasks("g1").await, &rows);
}

/// Started again, it meets the same event and stops again; nothing of what follows was skipped.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_skip_it() {
    let mut fixture = Fixture::new(1).await;
    let steps = long(9, 100);
    let poison = unreadable(&steps);
    fixture.append(&steps).await;
    let at = fixture.log.end(0);
    fixture.append(&[poison]).await;
    for _ in 0..2 {
        let running = fixture.start(Options::default());
        let mut applied = running.status.watch();
        let stopped = async {
            while !running.status.all().iter().any(|p| matches!(p.state, State::Stopped(_))) {
                applied.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, stopped).await.expect("it stops");
        assert_eq!(running.status.next_offset("event_journal", 0), Some(at));
        running.stop().await;
    }
}

/// How a projection stands in the table: state and error of every shard.
async fn shown(fixture: &Fixture) -> Vec<(String, String, Option<String>)> {
    let sql = "SELECT name, state, error FROM gesta.projections ORDER BY name";
    sqlx::query_as(sql).fetch_all(&fixture.pool).await.unwrap()
}

/// A database whose rows came from another log stops every projection, and says what to do; with its own
/// log again nothing is left of it, though there is nothing to apply.
#[tokio::test(flavor = "multi_thread")]
async fn a_repaired_cause_leaves_no_mark() {
    let mut fixture = Fixture::new(1).await;
    fixture.append(&long(9, 100)).await;
    fixture.catch_up().await;
    let other = fixture.beside(&Fixture::new(1).await);
    let running = other.start(Options::default());
    let stopped = async {
        while !shown(&fixture).await.iter().all(|(_, state, _)| state == "stopped") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, stopped).await.expect("they stop");
    running.stop().await;
    for (name, _, error) in shown(&fixture).await {
        let error = error.unwrap_or_default();
        assert!(error.contains("another log") && error.contains("GESTA_POSTGRES_URL"), "{name}: {error}");
    }
    fixture.catch_up().await;
    for (name, state, error) in shown(&fixture).await {
        assert_eq!((state.as_str(), error), ("running", None), "{name}");
    }
}
