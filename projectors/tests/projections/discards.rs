//! An event that somebody gave up: what waits behind it goes on, and a rebuild repeats the decision.

use projectors::rebuild;
use schemas::ids::{AggregateId, Stream, Tenant};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::dead_letters::{applied, letters, poisoned};
use crate::equality::long;
use crate::fixture::{Fixture, until};
use crate::history::Step;
use crate::poison::{from_version, mend, refuse, streams};
use crate::table::{assert_equal, dump};

/// The decision as the command side writes it.
fn discard(tenant: &Tenant, letter: Uuid, projection: &str, version: u64) -> Step {
    let id: AggregateId = letter.try_into().expect("a letter's id is one of Gesta");
    let data = json!({ "projection": projection, "reason": "withdrawn" });
    Step {
        stream: Stream::of(tenant, "dead_letter", id),
        tenant: tenant.clone(),
        command: "dead_letter.discard",
        events: vec![(version, "gesta.operations.dead_letter.discarded.v1", 1, data)],
        at: "2026-02-01T00:00:00Z".parse().unwrap(),
    }
}

/// Projection, tenant and id of the letters that were tried.
async fn heads(fixture: &Fixture) -> Vec<(String, Tenant, Uuid)> {
    let sql = "SELECT projection, tenant, id FROM gesta.dead_letters WHERE kind = 'poison' AND generation = 1 \
         ORDER BY projection";
    let rows: Vec<(String, String, Uuid)> = sqlx::query_as(sql).fetch_all(&fixture.pool).await.unwrap();
    rows.into_iter().map(|(name, tenant, id)| (name, Tenant::new(&tenant).unwrap(), id)).collect()
}

async fn states(fixture: &Fixture, generation: i32) -> Vec<(String, i64, String)> {
    let sql = "SELECT projection, version, state FROM gesta.dead_letters WHERE generation = $1 \
         ORDER BY projection, log_offset, event_index";
    sqlx::query_as(sql).bind(generation).fetch_all(&fixture.pool).await.unwrap()
}

async fn assert_rebuilt(fixture: &Fixture) {
    rebuild(fixture.log.clone(), &fixture.url, fixture.pool.clone(), 2, CancellationToken::new())
        .await
        .unwrap();
    assert_equal(&dump(&fixture.pool, "g1").await, &dump(&fixture.pool, "g2").await);
    let mut left_out = states(fixture, 1).await;
    left_out.retain(|(_, _, state)| state == "discarded");
    assert_eq!(states(fixture, 2).await, left_out, "the new generation knows what it lacks");
}

/// PLAT-13: of three letters of one event one is discarded: that projection goes on with what waited, the two others
/// wait. All three discarded, a rebuild that cannot read the event either leaves it out and comes to the
/// same rows. Who, when and why stand on the letter.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_discarded_event_goes_on() {
    let (poison, step, _) = poisoned(&long(40, 900), 0);
    let mut fixture = Fixture::new(2).await;
    fixture.append(&poison).await;
    let running = applied(&fixture).await;
    let heads = heads(&fixture).await;
    assert_eq!(heads.len(), 3);
    let id: AggregateId = step.stream.id().parse().unwrap();
    for (_, _, letter) in &heads {
        assert_eq!(AggregateId::try_from(*letter).unwrap().route(), id.route(), "in the shard of its event");
    }
    let (name, tenant, letter) = &heads[0];
    fixture.append(&[discard(tenant, *letter, name, 1)]).await;
    let parked = async |projection: &str| {
        letters(&fixture.pool)
            .await
            .iter()
            .filter(|l| l.projection == projection && l.state == "parked")
            .count()
    };
    until("it goes on", async || parked("agent_list").await == 0).await;
    assert!(parked("event_journal").await > 1 && parked("state_transitions").await > 1);
    let first = step.events[0].0;
    let of_list: Vec<_> = states(&fixture, 1).await.into_iter().filter(|l| l.0 == "agent_list").collect();
    assert_eq!(of_list[0].2, "discarded");
    assert!(of_list[1..].iter().all(|letter| letter.2 == "applied"), "{of_list:?}");
    let row: i64 = sqlx::query_scalar("SELECT version FROM g1.agent_list WHERE id = $1")
        .bind(id.uuid())
        .fetch_one(&fixture.pool)
        .await
        .unwrap();
    assert!(row > i64::try_from(first).unwrap(), "later events are in the row");
    let found = migrations::dead_letters::find(&fixture.pool, *letter).await.unwrap().unwrap();
    assert_eq!(found.discarded_by.as_deref(), Some("user/alice"));
    assert_eq!((found.discard_reason.as_deref(), found.state.as_str()), (Some("withdrawn"), "discarded"));
    for (name, tenant, letter) in &heads[1..] {
        fixture.append(&[discard(tenant, *letter, name, 1)]).await;
    }
    until("all go on", async || letters(&fixture.pool).await.iter().all(|l| l.state != "parked")).await;
    running.stop().await;
    assert_rebuilt(&fixture).await;
}

/// PLAT-13: given up is also the first event of a stream: there is no row, and nothing waits. Where Postgres no
/// longer refuses the event, a rebuild leaves it out all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_of_a_stream_can_be_discarded() {
    let steps = long(40, 900);
    let stream = streams(&steps, "task").remove(3);
    let mut fixture = Fixture::new(1).await;
    refuse(&fixture, &from_version(&stream, 1)).await;
    fixture.append(&steps).await;
    let running = applied(&fixture).await;
    let (name, tenant, letter) = heads(&fixture).await.remove(0);
    fixture.append(&[discard(&tenant, letter, &name, 1)]).await;
    until("nothing waits", async || letters(&fixture.pool).await.iter().all(|l| l.state != "parked")).await;
    running.stop().await;
    mend(&fixture).await;
    assert_rebuilt(&fixture).await;
}

/// PLAT-13: a discard of a letter that there is not, of another projection's, or of an applied one changes
/// nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_discard_without_its_letter_changes_nothing() {
    let steps = long(40, 900);
    let stream = streams(&steps, "task").remove(3);
    let mut fixture = Fixture::new(1).await;
    refuse(&fixture, &from_version(&stream, 3)).await;
    fixture.append(&steps).await;
    let running = applied(&fixture).await;
    let (name, tenant, letter) = heads(&fixture).await.remove(0);
    fixture.append(&[discard(&tenant, letter, "agent_list", 1)]).await;
    fixture.applied(1).await;
    assert!(letters(&fixture.pool).await.iter().all(|l| l.state == "parked"));
    mend(&fixture).await;
    crate::dead_letters::redrive(&fixture.pool).await;
    until("it is applied", async || letters(&fixture.pool).await.iter().all(|l| l.state == "applied")).await;
    fixture.append(&[discard(&tenant, letter, &name, 2)]).await;
    fixture.applied(1).await;
    running.stop().await;
    let found = migrations::dead_letters::find(&fixture.pool, letter).await.unwrap().unwrap();
    assert_eq!((found.state.as_str(), found.discarded_by.is_some()), ("applied", true));
    assert_rebuilt(&fixture).await;
}
