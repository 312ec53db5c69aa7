//! Which task a claim gets.

use serde_json::json;

use crate::support::shared::api;
use crate::support::tasks::token;

/// TASK-16: by priority, then in the order of arrival.
#[tokio::test]
async fn the_most_urgent_task_is_handed_out_first() {
    let api = api().await;
    let mut ids = Vec::new();
    for (title, priority) in
        [("a", "low"), ("b", "normal"), ("c", "critical"), ("d", "normal"), ("e", "high")]
    {
        ids.push((title, api.create("order", json!({ "title": title, "priority": priority })).await.id()));
    }
    let claimed = api.done("tasks/claim", json!({ "worker": "w", "queues": ["order"], "max": 10 })).await;
    let tasks = claimed.body["tasks"].as_array().unwrap();
    let titles: Vec<_> = tasks.iter().map(|task| task["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["c", "e", "b", "d", "a"]);
}

/// TASK-16: waiting raises a task above younger ones of a higher priority, so that nothing starves.
#[tokio::test]
async fn waiting_counts() {
    let api = api().await;
    let old =
        api.create("ageing", json!({ "title": "old", "priority": "low", "policy": { "ageingMs": 1 } })).await;
    let young = json!({ "title": "young", "priority": "normal", "policy": { "ageingMs": 0 } });
    // A step of one millisecond: the old one passes as soon as the clock of the shard has moved on.
    let claimed = crate::support::eventually::eventually(
        "the old task",
        async || {
            api.create("ageing", young.clone()).await;
            api.claim("w", "ageing").await
        },
        |held| held.id == old.id(),
    );
    claimed.await;
}

/// TASK-16, TASK-17: several queues are tried in the given order.
#[tokio::test]
async fn queues_are_tried_in_the_given_order() {
    let api = api().await;
    api.create("second", json!({ "title": "2" })).await;
    let claim = json!({ "worker": "w", "queues": ["first", "second"], "max": 5 });
    assert_eq!(api.done("tasks/claim", claim.clone()).await.text("/tasks/0/queue"), "second");
    api.create("second", json!({ "title": "2" })).await;
    api.create("first", json!({ "title": "1" })).await;
    let claimed = api.done("tasks/claim", claim).await;
    assert_eq!(
        (claimed.text("/tasks/0/queue"), claimed.body["tasks"].as_array().unwrap().len()),
        ("first".into(), 1)
    );
}

/// TASK-10, TASK-11: a claim whose answer was lost returns what is leased already.
#[tokio::test]
async fn a_repeated_claim_returns_the_same_lease() {
    let api = api().await;
    for _ in 0..3 {
        api.create("lost", json!({})).await;
    }
    for queues in [json!(["lost"]), json!(["none-here", "lost"])] {
        let claim = json!({ "worker": "w", "queues": queues });
        let key = queues.to_string().replace(['"', '[', ']', ','], "");
        let first = api.command("tasks/claim", &claim).key(&key).send().await.accepted();
        let again = api.command("tasks/claim", &claim).key(&key).send().await.accepted();
        assert_eq!((first.text("/tasks/0/id"), token(&first, "/tasks/0")), (again.text("/tasks/0/id"), 1));
    }
}

/// TASK-10: a long poll is woken by a task that comes, in whichever of its queues.
#[tokio::test]
async fn a_waiting_claim_is_woken() {
    let api = api().await;
    let waiting = {
        let api = api.clone();
        tokio::spawn(async move {
            let claim = json!({ "worker": "w", "queues": ["quiet", "woken"], "wait": 30_000 });
            api.done("tasks/claim", claim).await
        })
    };
    let created = api.create("woken", json!({})).await;
    assert_eq!(waiting.await.unwrap().text("/tasks/0/id"), created.id());
    let none = api.done("tasks/claim", json!({ "worker": "w", "queues": ["woken"], "wait": 50 })).await;
    assert_eq!(none.body["tasks"], json!([]));
}
