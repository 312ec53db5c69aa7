//! Two workers, crashes, outages: the rows come out the same.

use event_log::memory::Fault;
use projectors::{Options, State, rebuild};
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use crate::database::connect;
use crate::equality::long;
use crate::fixture::{DEADLINE, Fixture};
use crate::history::Step;
use crate::table::{assert_equal, dump};

/// The rows are those of a rebuild, and every event was counted in one transaction.
async fn assert_as_rebuilt(fixture: &Fixture, steps: &[Step]) {
    let events: usize = steps.iter().map(|step| step.events.len()).sum();
    for (name, applied) in fixture.counted().await {
        assert_eq!(usize::try_from(applied), Ok(events), "events that {name} applied");
    }
    rebuild(fixture.log.clone(), &fixture.url, fixture.pool.clone(), 2, CancellationToken::new())
        .await
        .unwrap();
    assert_equal(&dump(&fixture.pool, "g1").await, &dump(&fixture.pool, "g2").await);
}

fn small() -> Options {
    Options { batch_commits: 50, ..Options::default() }
}

/// Both fold everything; of each batch one transaction counts.
#[tokio::test(flavor = "multi_thread")]
async fn two_workers_on_one_shard_are_harmless() {
    let mut fixture = Fixture::new(2).await;
    let (one, other) = (fixture.start(small()), fixture.start(small()));
    let all = long(40, 3_000);
    for steps in all.chunks(300) {
        fixture.append(steps).await;
    }
    fixture.applied(1).await;
    one.stop().await;
    other.stop().await;
    assert_as_rebuilt(&fixture, &all).await;
}

/// A batch that stands in the log twice is applied once; what does not count leaves no lag.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_delivered_twice_is_applied_once() {
    let mut fixture = Fixture::new(1).await;
    let steps = long(20, 600);
    let (first, last) = steps.split_at(steps.len() / 2);
    fixture.faults.next_append(Fault::Duplicate);
    fixture.append(first).await;
    fixture.append(last).await;
    fixture.catch_up().await;
    let events: usize = steps.iter().map(|step| step.events.len()).sum();
    let journal: i64 =
        sqlx::query_scalar("SELECT count(*) FROM g1.event_journal").fetch_one(&fixture.pool).await.unwrap();
    assert_eq!(usize::try_from(journal), Ok(events));
    assert_as_rebuilt(&fixture, &steps).await;
}

/// Torn down in the middle of whatever it was doing, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_point_repeats_nothing_and_loses_nothing() {
    let mut fixture = Fixture::new(2).await;
    let all = long(40, 4_000);
    fixture.append(&all).await;
    for crash in 0..30_u64 {
        let running = fixture.start(small());
        // Crashes land in different places because some have got further than others.
        let mut applied = running.status.watch();
        let some = async {
            for _ in 0..crash % 5 {
                applied.changed().await.unwrap();
            }
        };
        tokio::select! {
            () = some => {}
            () = fixture.applied(1) => {}
        }
        drop(running);
    }
    fixture.catch_up().await;
    assert_as_rebuilt(&fixture, &all).await;
}

/// Rows and cursor go together: what keeps one of them back keeps the other back too.
#[rstest]
#[case::the_rows("INSERT ON g1.state_transitions")]
#[case::the_cursor("UPDATE OF next_offset ON gesta.projections")]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_transaction_leaves_neither_rows_nor_cursor(#[case] refused: &str) {
    let mut fixture = Fixture::new(2).await;
    let all = long(20, 600);
    fixture.append(&all).await;
    let mut conn = connect(&fixture.url).await;
    let trigger = format!(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END $$;
         CREATE TRIGGER refuse BEFORE {refused} FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut conn).await.unwrap();
    let error = fixture.run_to_end().await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
    for (name, rows) in dump(&fixture.pool, "g1").await {
        assert!(rows.is_empty(), "{} rows of {name} stayed", rows.len());
    }
    assert!(fixture.counted().await.iter().all(|(_, applied)| *applied == 0), "a cursor moved");
    sqlx::raw_sql("DROP FUNCTION public.refuse() CASCADE").execute(&mut conn).await.unwrap();
    fixture.catch_up().await;
    assert_as_rebuilt(&fixture, &all).await;
}

/// Connections are cut again and again; the projections wait and go on by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_are_waited_out() {
    let mut fixture = Fixture::new(2).await;
    let (running, all) = (fixture.start(small()), long(40, 3_000));
    for steps in all.chunks(150) {
        fixture.append(steps).await;
        let mut conn = connect(&fixture.url).await;
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'gesta projectors'";
        sqlx::raw_sql(cut).execute(&mut conn).await.unwrap();
    }
    fixture.applied(1).await;
    running.stop().await;
    assert_as_rebuilt(&fixture, &all).await;
}

/// Postgres is away for the projections: they say so, and resume when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_shows_and_ends_by_itself() {
    let mut fixture = Fixture::new(1).await;
    let running = fixture.start(small());
    fixture.applied(1).await;
    let database = fixture.url.rsplit_once('/').unwrap().1.to_owned();
    let server = std::env::var("GESTA_POSTGRES_URL").unwrap();
    let mut admin = connect(&server).await;
    let away = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false");
    sqlx::raw_sql(sqlx::AssertSqlSafe(away)).execute(&mut admin).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
        .bind(&database)
        .execute(&mut admin)
        .await
        .unwrap();
    let all = long(5, 200);
    fixture.append(&all).await;
    let mut applied = running.status.watch();
    let paused = async {
        while !running.status.all().iter().all(|p| matches!(p.state, State::Paused(_))) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, paused).await.expect("the pause shows");
    assert!(running.status.ready().unwrap_err().contains("Postgres"), "{:?}", running.status.ready());
    let back = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true");
    sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(&mut admin).await.unwrap();
    tokio::time::timeout(DEADLINE, applied.changed()).await.unwrap().unwrap();
    fixture.applied(1).await;
    running.stop().await;
    assert_as_rebuilt(&fixture, &all).await;
}
