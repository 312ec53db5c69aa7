//! One effect per key, versions, batches, dry runs.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api};
use crate::support::shared::api;
use crate::support::tasks::{task, verbs};

/// PLAT-11, M-13: the same creation a hundred times at once is one task, and every answer names it.
#[tokio::test]
async fn a_key_sent_a_hundred_times_at_once_has_one_effect() {
    let api = api().await;
    let body = task("once", json!({}));
    let tries = (0..100).map(|_| api.command("tasks", &body).key("the-one").send());
    let answers: Vec<Answer> = join_all(tries).await.into_iter().map(Answer::accepted).collect();
    let ids: BTreeSet<String> = answers.iter().map(Answer::id).collect();
    assert_eq!(ids.len(), 1);
    let events: BTreeSet<String> = answers.iter().map(|answer| answer.body["events"].to_string()).collect();
    assert_eq!(events.len(), 1, "every answer is the same");
    assert_eq!(api.events().await.len(), 2, "created and queued, once");
    let again = api.command("tasks", &body).key("the-one").send().await.accepted();
    assert_eq!((again.header("idempotency-replayed"), again.id()), (Some("true"), answers[0].id()));
}

/// PLAT-11, M-13: the same key with another body is refused, whether the first one was a creation or not.
#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let api = api().await;
    let created = api.command("tasks", &task("reuse", json!({}))).key("k").send().await.accepted();
    let other = task("reuse", json!({ "title": "another" }));
    api.command("tasks", &other).key("k").send().await.is(422, "idempotency_key_reused");
    let path = format!("tasks/{}/cancel", created.id());
    api.command(&path, &json!({ "reason": "a" })).key("c").send().await.accepted();
    api.command(&path, &json!({ "reason": "b" })).key("c").send().await.is(422, "idempotency_key_reused");
    let same = api.command(&path, &json!({ "reason": "a" })).key("c").send().await.accepted();
    assert_eq!(same.verbs(), "cancelled");
}

/// PLAT-11: a refusal is not kept: what was refused may succeed later under the same key.
#[tokio::test]
async fn a_refusal_does_not_use_the_key_up() {
    let api = api().await;
    let created = api.create("later", json!({ "hold": true })).await;
    let path = format!("tasks/{}/assign", created.id());
    let assign = || api.command(&path, &json!({ "worker": "w-1" })).key("assign").send();
    assign().await.is(409, "transition_refused");
    api.act(&created.id(), "enqueue", json!({})).await;
    assert_eq!(assign().await.accepted().verbs(), "assigned");
}

/// PLAT-6: of many changes that expect one version exactly one takes effect; the others are told the version.
#[tokio::test]
async fn a_storm_that_expects_one_version_has_one_winner() {
    let api = api().await;
    let created = api.create("storm", json!({ "hold": true })).await;
    let path = format!("tasks/{}/update", created.id());
    for round in 1..=5_u64 {
        let change = |n: usize| json!({ "title": format!("{round}-{n}"), "expectedVersion": round });
        let tries = (0..40).map(|n| api.command(&path, &change(n)).send()).collect::<Vec<_>>();
        let (won, lost): (Vec<_>, Vec<_>) = join_all(tries).await.into_iter().partition(|a| a.status == 200);
        assert_eq!((won.len(), won[0].version()), (1, round + 1), "round {round}");
        for refused in lost {
            let refused = refused.is(409, "version_conflict");
            assert_eq!(refused.body["actualVersion"], round + 1, "the version after the winner");
        }
    }
    let etag = format!("\"{}\"", 3);
    let stale = api.command(&path, &json!({ "title": "x" })).header("if-match", &etag).send().await;
    let stale = stale.is(412, "precondition_failed");
    assert_eq!((&stale.body["expectedVersion"], &stale.body["actualVersion"]), (&json!(3), &json!(6)));
    let fresh =
        api.command(&path, &json!({ "title": "x" })).header("if-match", "\"6\"").send().await.accepted();
    assert_eq!(fresh.header("etag"), Some("\"7\""));
    let events = api.log_of(&created.id()).await;
    assert_eq!(events.iter().map(|event| event.version).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
}

/// PLAT-6: a creation that must be the first.
#[tokio::test]
async fn a_creation_can_ask_to_be_the_first() {
    let api = api().await;
    let create =
        || api.command("tasks", &task("first", json!({}))).key("k").header("if-none-match", "*").send();
    let first = create().await.accepted();
    assert_eq!(create().await.accepted().id(), first.id(), "the repetition that created it");
}

async fn batch(api: &Api, path: &str, lines: &[Value]) -> Vec<Value> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let call =
        api.request(reqwest::Method::POST, path).header("content-type", "application/x-ndjson").body(text);
    let answer = call.send().await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/x-ndjson")),
        "{answer:#?}"
    );
    match answer.body {
        Value::String(text) => {
            text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
        }
        one => vec![one],
    }
}

/// PLAT-11: a batch answers line by line; a line that is refused leaves the others alone.
#[tokio::test]
async fn a_batch_succeeds_or_fails_line_by_line() {
    let api = api().await;
    let held = api.create("batch", json!({ "hold": true })).await.id();
    let lines = [
        json!({ "command": "task.create", "key": "b-1", "body": task("batch", json!({})) }),
        json!({ "command": "task.create", "key": "b-2", "body": { "title": "no type" } }),
        json!({ "command": "task.update", "id": held, "body": { "title": "new" } }),
        json!({ "command": "task.enqueue", "id": held }),
        json!({ "command": "task.dance", "id": held }),
        json!({ "command": "task.start", "id": held, "body": { "fencingToken": 1 } }),
    ];
    let answers = batch(&api, "commands", &lines).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 200, 200, 422, 409]);
    assert_eq!((&answers[0]["key"], &answers[1]["key"]), (&json!("b-1"), &json!("b-2")));
    assert_eq!(answers[1]["problem"]["errors"][0]["pointer"], "/body/type");
    let events = api.log_of(&held).await;
    assert_eq!(verbs(&events), "created updated queued", "lines on one aggregate keep their order");
    let again = batch(&api, "commands", &lines[..1]).await;
    assert_eq!((&again[0]["replayed"], &again[0]["answer"]), (&json!(true), &answers[0]["answer"]));
}

/// PLAT-37, PLAT-36: a dry run says what would happen, writes nothing and uses no key up.
#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let api = api().await;
    let created = api.create("dry", json!({})).await;
    let path = format!("tasks/{}/cancel", created.id());
    let dry = api.command(&format!("{path}?dryRun=true"), &json!({})).key("k").send().await.accepted();
    assert_eq!((dry.verbs(), dry.version()), ("cancelled".into(), 3));
    api.refused(
        &format!("tasks/{}/start?dryRun=true", created.id()),
        json!({ "fencingToken": 1 }),
        409,
        "transition_refused",
    )
    .await;
    assert_eq!(api.log_of(&created.id()).await.len(), 2);
    let real = api.command(&path, &json!({})).key("k").send().await.accepted();
    assert_eq!((real.verbs(), real.header("idempotency-replayed")), ("cancelled".into(), None));
    let lines = [json!({ "command": "task.create", "body": task("dry", json!({})) })];
    assert_eq!(batch(&api, "commands?dryRun=true", &lines).await[0]["status"], 200);
    assert_eq!(api.events().await.len(), 3, "two of the creation, one of the cancel");
}
