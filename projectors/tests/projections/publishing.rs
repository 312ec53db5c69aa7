//! The publisher beside the read models, with topics on a real Kafka.

use event_log::{KafkaOptions, PublisherOptions};
use projectors::{Options, PUBLISHER, Personal, PublishOptions, State};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::equality::long;
use crate::fixture::{DEADLINE, Fixture, Running, until};
use crate::history::Step;

/// Public topics of their own.
fn publish() -> PublishOptions {
    let brokers = std::env::var("GESTA_KAFKA_BROKERS")
        .expect("GESTA_KAFKA_BROKERS names no brokers; `make test` starts some");
    let prefix = format!("projections-{}", uuid::Uuid::new_v4().simple());
    let topics = PublisherOptions { prefix, ..PublisherOptions::new(KafkaOptions::new(&brokers, "test", 1)) };
    PublishOptions { topics, personal: Personal::Withhold }
}

/// Ids of the records of the public topics, in no order.
fn published(options: &PublishOptions) -> Vec<String> {
    let mut ids = Vec::new();
    for context in schemas::registry::contexts() {
        let topic = format!("{}.{context}.events", options.topics.prefix);
        let mut kcat = std::process::Command::new("kcat");
        kcat.args(["-b", &options.topics.kafka.brokers, "-t", &topic, "-C", "-q", "-e", "-f", "%h\n"]);
        let output = kcat.output().expect("kcat is there: apt install kcat");
        let headers = String::from_utf8(output.stdout).unwrap();
        let id = |line: &str| {
            line.split("ce_id=").nth(1).and_then(|rest| rest.split(',').next()).map(str::to_owned)
        };
        ids.extend(headers.lines().filter_map(id));
    }
    ids
}

/// Waits until the publisher stands at `offset`, and says what it is doing there.
async fn reached(running: &Running, offset: u64, wanted: impl Fn(&State) -> bool) -> State {
    let stands = async {
        loop {
            let all = running.status.all();
            let own = all.into_iter().find(|progress| progress.name == PUBLISHER);
            if let Some(own) = own.filter(|own| own.next_offset == offset && wanted(&own.state)) {
                return own.state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, stands).await.expect("the publisher gets there")
}

/// PLAT-1, PLAT-28: it stops before an event that this release cannot read, and says so where every projection does.
#[tokio::test(flavor = "multi_thread")]
async fn an_undecodable_event_stops_the_publisher() {
    let mut fixture = Fixture::new(1).await;
    let steps = long(9, 60);
    let of = steps.last().unwrap();
    let (last, ..) = *of.events.last().unwrap();
    let poison = Step { events: vec![(last + 1, "gesta.work.task.sung.v1", 1, json!({}))], ..of.clone() };
    fixture.append(&steps).await;
    let at = fixture.log.end(0);
    fixture.append(&[poison]).await;
    let publish = publish();
    let running = fixture.start(Options { publish: Some(publish.clone()), ..Options::default() });
    let state = reached(&running, at, |state| matches!(state, State::Stopped(_))).await;
    let State::Stopped(error) = state else { panic!("{state:?}") };
    assert!(error.contains("sung") && error.contains(&format!("offset {at}")), "{error}");
    assert!(running.status.ready().unwrap_err().contains("publisher of shard 0"));
    let events: usize = steps.iter().map(|step| step.events.len()).sum();
    assert_eq!(published(&publish).len(), events, "everything before it");
    let sql = "SELECT state, error, next_offset, events_applied FROM gesta.projections WHERE name = $1";
    let stored = async || {
        let row = sqlx::query_as(sql).bind(PUBLISHER).fetch_one(&fixture.pool).await;
        let row: (String, Option<String>, i64, i64) = row.unwrap();
        row
    };
    until("the table says that it stopped", async || stored().await.0 == "stopped").await;
    let (_, stored_error, next, applied) = stored().await;
    assert_eq!((stored_error, u64::try_from(next).unwrap()), (Some(error), at));
    assert_eq!(usize::try_from(applied).unwrap(), events);
    running.stop().await;
}

/// PLAT-1: the topics are not published again for a new generation of the read models.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_generation_goes_on_from_the_cursor() {
    let mut fixture = Fixture::new(2).await;
    let steps = long(9, 200);
    let (first, last) = steps.split_at(steps.len() / 2);
    let options = Options { until_end: true, publish: Some(publish()), ..Options::default() };
    fixture.append(first).await;
    let run = async |options: Options, fixture: &Fixture| {
        let cancel = CancellationToken::new();
        projectors::run(fixture.log.clone(), fixture.pool.clone(), options, cancel).await.unwrap();
    };
    run(options.clone(), &fixture).await;
    migrations::generation::create(&fixture.url, 2).await.unwrap();
    fixture.append(last).await;
    run(Options { generation: Some(2), ..options.clone() }, &fixture).await;
    let mut ids = published(options.publish.as_ref().unwrap());
    let events: usize = steps.iter().map(|step| step.events.len()).sum();
    assert_eq!(ids.len(), events);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), events, "each once");
}

/// PLAT-1: the cursor moves after the brokers confirmed what lies before it, never before: a crash in between repeats.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_cursor_moves_repeats_and_loses_nothing() {
    let mut fixture = Fixture::new(1).await;
    let (publish, steps) = (publish(), long(9, 60));
    let options = Options { until_end: true, publish: Some(publish.clone()), ..Options::default() };
    let cancel = CancellationToken::new;
    // The rows of the cursors are there before anyone holds them.
    projectors::run(fixture.log.clone(), fixture.pool.clone(), options.clone(), cancel()).await.unwrap();
    let mut holder = crate::database::connect(&fixture.url).await;
    let hold = "BEGIN; SELECT * FROM gesta.projections WHERE name = 'publisher' FOR UPDATE";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    fixture.append(&steps).await;
    let running = fixture.start(Options { publish: Some(publish.clone()), ..Options::default() });
    until("events come before the cursor moves", async || !published(&publish).is_empty()).await;
    drop(running);
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    projectors::run(fixture.log.clone(), fixture.pool.clone(), options, cancel()).await.unwrap();
    let mut ids = published(&publish);
    let (events, all) = (steps.iter().map(|step| step.events.len()).sum::<usize>(), ids.len());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), events);
    assert!(all > events, "what was sent before the crash was sent again");
}
